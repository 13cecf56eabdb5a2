"""The page of a kind: what its author must know, the interface, and its components' options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from generate.interface import interface, keywords, module_of, values
from generate.markdown import option_table, paragraphs, table
from mousai_kit.core.component import Component
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.option_docs import describe_options
from mousai_kit.core.registry import Registry
from mousai_kit.data import tracks
from mousai_kit.models import sampling

BASES = {"sampler": sampling, "dataset": tracks}
"""Modules whose public classes a component may inherit in place of its kind's."""
BEGIN, END = "<!-- by hand: begin -->", "<!-- by hand: end -->"
"""Between them stands what a person wrote; the rest is written by the program."""


def kind_page(kind: str, registry: Registry, old: str) -> str:
    """Return a kind's page; the part by hand is taken from the page as it was."""
    it = KINDS[kind]
    given = list(values(module_of(it), without=it.__name__))
    parts = [
        *_head(kind),
        by_hand(old),
        *interface(it),
        *(["## Values", *given] if given else []),
        *_to_build_on(kind),
        *_components([it for it, _ in registry if it.kind == kind]),
    ]
    return "\n\n".join(parts) + "\n"


def said(kind: str) -> tuple[str, str]:
    """Return what a kind is called in prose and what it does, as its module's docstring says."""
    name, _, does = (inspect.getdoc(module_of(KINDS[kind])) or "").partition(": ")
    return name, f"{does[0].upper()}{does[1:]}"


def by_hand(page: str) -> str:
    """Return the part of a page that a person wrote, between its marks."""
    _, _, rest = page.partition(f"{BEGIN}\n")
    return f"{BEGIN}\n{rest.partition(END)[0]}{END}"


def _head(kind: str) -> Iterator[str]:
    """Yield the title, what the kind is, and the words that name it."""
    name, does = said(kind)
    it = KINDS[kind]
    yield f"# {name}"
    yield does
    yield paragraphs(it)
    yield table(
        ("class", f"`mk.{it.__name__}`"),
        [
            ("built with", keywords(it)),
            ("contract suite", f"`mousai_kit.testing.{it.__name__}Contract`"),
        ],
    )


def _to_build_on(kind: str) -> Iterator[str]:
    """Yield the classes that do a part of the work for components of a kind."""
    if module := BASES.get(kind):
        yield "## To build on"
        yield from values(module, without="")


def _components(found: list[type[Component]]) -> Iterator[str]:
    """Yield the components that come with mousai-kit, with their options."""
    yield "## Components"
    for component in found:
        yield f"### `{component.name}`"
        yield paragraphs(component)
        facts = describe_options(component.Options)
        yield option_table(facts, kinds=".") if facts else "It has no options."
