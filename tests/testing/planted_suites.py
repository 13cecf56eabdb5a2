"""Suites for a healthy component and for the bugs planted in it: each says the rule it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mousai_kit.core.component import Component
from mousai_kit.testing import Contract


def suites(contract: type[Contract], healthy: type[Component], **settings: Any) -> dict[str, type]:
    """Return suites by name: of a component, and of its subclasses that have a bug."""
    return {
        f"Test{it.__name__}": type(
            f"Test{it.__name__}", (contract,), {"component": it, "__module__": __name__, **settings}
        )
        for it in (healthy, *_bugs(healthy))
    }


def rules(module: Any) -> dict[str, list[str]]:
    """Return for each suite of a module the rule that its component breaks; none: healthy."""
    return {
        name: [vars(it.component)["breaks"]] if "breaks" in vars(it.component) else []
        for name, it in vars(module).items()
        if name.startswith("Test")
    }


def _bugs(healthy: type[Component]) -> Iterator[type[Component]]:
    for bug in healthy.__subclasses__():
        if "breaks" in vars(bug):
            yield bug
        yield from _bugs(bug)
