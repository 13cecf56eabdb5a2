"""The reference of recipe keys and components, as Markdown: `python -m mousai_kit.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from pydantic import BaseModel

from mousai_kit.component import Component
from mousai_kit.errors import PluginError
from mousai_kit.hookspecs import GROUP, HOOKS
from mousai_kit.interfaces import KINDS
from mousai_kit.option_facts import option_facts
from mousai_kit.plugins import discover
from mousai_kit.recipe import Audio, Evaluate, Generate, Recipe, StageRecipe, Train
from mousai_kit.registry import Registry

HEAD = """\
# Reference

Every key of a recipe, and every component that comes with mousai-kit. Written by
`python -m mousai_kit.reference`; a test fails where this page and the code differ.
`mousai-kit show NAME` prints a component's part of it, those of other plug-ins too.

A type that is a kind (`schedule`, `unet`, ...) is a slot: it takes a component's bare name, or
`{use: NAME, OPTION: VALUE, ...}`. An empty range means any value of the type.
[recipes.md](recipes.md) tells how recipes are read, [first-plugin.md](first-plugin.md) what a
component must do."""

KEYS: dict[str, type[BaseModel]] = {
    "": Recipe,
    "audio": Audio,
    "stages.NAME": StageRecipe,
    "stages.NAME.train": Train,
    "generate": Generate,
    "evaluate": Evaluate,
}
"""Where each part of a recipe stands."""


def reference() -> str:
    """Return the whole page."""
    return "\n\n".join([HEAD, *_recipe(), *_components(first_party())]) + "\n"


def first_party() -> Registry:
    """Return the components of mousai-kit's own plug-ins; PluginError where one is left out."""
    own = [it for it in entry_points(group=GROUP) if it.dist and it.dist.name == "mousai-kit"]
    registry, reports = discover(own)
    names = {point.name for point in own}
    if faults := [it.fault for it in reports if it.fault and it.name in names]:
        raise PluginError(*faults)
    return registry


def _recipe() -> Iterator[str]:
    """Yield the paragraphs on a recipe's keys."""
    yield "## Recipe keys"
    for place, model in KEYS.items():
        yield f"### {f'`{place}`' if place else 'At the top'}"
        yield inspect.getdoc(model) or ""
        own = [fact for fact in option_facts(model) if "." not in fact["name"]]
        prefix = f"{place}." if place else ""
        yield _table([{**fact, "name": prefix + fact["name"]} for fact in own])


def _components(registry: Registry) -> Iterator[str]:
    """Yield the paragraphs on each kind and its components."""
    found = [component for component, _ in registry]
    for kind, interface in KINDS.items():
        yield f"## {kind}"
        wiring = ", ".join(f"`{keyword}`" for keyword in interface.wiring) or "nothing"
        yield (
            f"{_paragraphs(interface)}\n\n"
            f"Class `mk.{interface.__name__}`, wired with {wiring}, offered by the hook "
            f"`{HOOKS[kind]}`."
        )
        for component in found:
            if component.kind == kind:
                yield from _component(component)


def _component(component: type[Component]) -> Iterator[str]:
    yield f"### {component.kind}: `{component.name}`"
    yield _paragraphs(component)
    facts = option_facts(component.Options)
    yield _table(facts) if facts else "It has no options."


def _paragraphs(documented: type) -> str:
    """Return a class's docstring with one line per paragraph."""
    parts = (inspect.getdoc(documented) or "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in parts)


def _table(facts: Sequence[dict[str, str]]) -> str:
    """Return options as a Markdown table."""
    head = ["option", "type", "range", "default", "meaning"]
    rows = [
        [
            f"`{fact['name']}`",
            fact["type"],
            fact["range"],
            "its keys' own" if fact["default"] in ("{}", "see below") else fact["default"],
            fact["description"],
        ]
        for fact in facts
    ]
    return "\n".join(_row(row) for row in [head, ["---"] * len(head), *rows])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    print(reference(), end="")
