"""Writes into docs/contracts.md what the suites and the planted bugs say of themselves.

python tests/testing/page.py
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import mousai_kit.testing
from mousai_kit.core.component import Component
from mousai_kit.core.interfaces import KINDS
from mousai_kit.testing import Contract
from mousai_kit.testing.contract import rules_of
from mousai_kit.testing.network import NetworkContract
from mousai_kit.testing.sampler_base import SamplerSuite

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "contracts.md"


def written(page: str) -> str:
    """Return a page with its lists made anew, between the comments that mark them."""
    for name, lines in {"rules": _rules(), "bugs": _bugs()}.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        page = head + begin + "\n".join(["", *lines, ""]) + end + tail
    return page


def planted() -> dict[str, list[tuple[type[Component], str]]]:
    """Return for each kind the bugs that are planted in it, with the rules that they break."""
    found: dict[str, list[tuple[type[Component], str]]] = {kind: [] for kind in KINDS}
    for file in sorted(HERE.glob("planted_*.py")):
        for suite in vars(import_module(file.stem)).values():
            if isinstance(suite, type) and issubclass(suite, Contract):
                bug: Any = getattr(suite, "component", Component)
                if "breaks" in vars(bug):
                    found[bug.kind].append((bug, bug.breaks))
    return found


def _rules() -> Iterator[str]:
    """Yield the rules of each suite as sentences, those that are shared once."""
    told: set[str] = set()
    for suite in (Contract, NetworkContract, *suites()):
        names = [name for name in rules_of(suite) if name not in told]
        told |= set(names) if suite in (Contract, NetworkContract) else set()
        told |= set(names) if issubclass(suite, SamplerSuite) else set()
        yield f"### {suite.__name__}"
        yield ""
        yield _first_line(suite)
        yield ""
        yield from (f"- {_sentence(name)}" for name in names)
        yield ""


def suites() -> list[type[Contract]]:
    """Return the suites that are public, in the order of kinds, a kind's own before its special."""
    found = [getattr(mousai_kit.testing, name) for name in mousai_kit.testing.__all__]
    suites = [it for it in found if inspect.isclass(it) and it.__name__.endswith("Contract")]
    order = list(KINDS)

    def own(suite: type[Contract]) -> str:
        return f"{KINDS[suite.interface.kind].__name__}Contract"

    return sorted(
        (it for it in suites if it is not Contract),
        key=lambda it: (order.index(it.interface.kind), it.__name__ != own(it), len(it.__mro__)),
    )


def _bugs() -> Iterator[str]:
    """Yield a table of bugs for each kind."""
    for kind, bugs in planted().items():
        yield f"### {kind}"
        yield ""
        yield "| bug | the rule that catches it |"
        yield "| --- | --- |"
        yield from (f"| {_first_line(bug)} | {_sentence(rule)} |" for bug, rule in bugs)
        yield ""


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _first_line(it: object) -> str:
    return re.sub(r"\|", r"\\|", (inspect.getdoc(it) or "").split("\n", 1)[0])


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent / "helpers"))  # what planted modules share with other tests
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
