"""Planted bugs: components that break one rule each, for a contract to catch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

Caught = dict[str, list[str]]
"""Names of the tests that failed, for each class of tests."""


@dataclass(eq=False)
class Watcher:
    """A pytest plug-in that notes which tests fail, and asks no more of a class that has failed.

    Of a class that stands in `rules`, it asks for that rule alone.
    """

    rules: Mapping[str, str] = field(default_factory=dict)
    caught: Caught = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def pytest_configure(self, config: pytest.Config) -> None:
        config.option.tbstyle = "native"  # the quickest; nobody reads it

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self.caught.setdefault(_suite(item.nodeid), [])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [it for it in items if self.rules.get(_suite(it.nodeid), it.name) == it.name]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self.caught[_suite(item.nodeid)]:
            pytest.skip("this bug is caught")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.when == "call":
            self.caught[_suite(report.nodeid)].append(report.nodeid.rsplit("::", 1)[1])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(report.longreprtext)


def caught_in(file: Path, rules: Mapping[str, str] | None = None) -> Caught:
    """Run the suites of a file; return for each which of its tests failed first.

    Those that stand in `rules` are asked for that rule alone.
    """
    watcher = Watcher(rules or {})
    options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-o", "addopts="]
    ended = pytest.main([str(file), *options], plugins=[watcher])
    assert watcher.broken == []
    assert ended in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return watcher.caught


def table(caught: Mapping[str, list[str]]) -> str:
    """Return which test caught each bug, a line each."""
    width = max(map(len, caught))
    return "\n".join(f"{bug:{width}}  {' '.join(by) or 'NOT CAUGHT'}" for bug, by in caught.items())


def _suite(nodeid: str) -> str:
    return nodeid.split("::")[1]
