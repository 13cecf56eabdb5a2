"""The page of recipe keys, and the list of components: docs/reference.md."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from pydantic import BaseModel

from generate.markdown import option_table, table
from mousai_kit.core.interfaces import KINDS, Controls
from mousai_kit.core.option_docs import describe_options
from mousai_kit.core.registry import Registry
from mousai_kit.recipe import Audio, Demo, Evaluate, Generate, Lora, Recipe, StageRecipe, Train

HEAD = """\
# Reference

Every key of a recipe, and every component that comes with mousai-kit. Written by
`python docs/generate docs`, as are the pages of the [kinds](kinds/index.md); a test fails
where they and the code differ. `mousai-kit show NAME` prints a component's options, those of other
plug-ins too.

A type that is a kind (`schedule`, `unet`, ...) is a slot: it takes a component's bare name, or
`{use: NAME, OPTION: VALUE, ...}`. An empty range means any value of the type.
[recipes.md](recipes.md) tells how recipes are read."""

KEYS: dict[str, type[BaseModel]] = {
    "": Recipe,
    "audio": Audio,
    "stages.NAME": StageRecipe,
    "stages.NAME.lora": Lora,
    "stages.NAME.train": Train,
    "generate": Generate,
    "generate.controls": Controls,
    "evaluate": Evaluate,
    "demo": Demo,
}
"""Where each part of a recipe stands."""


def recipe_page(registry: Registry) -> str:
    """Return the whole page."""
    return "\n\n".join([HEAD, *_keys(), "## Components", _components(registry)]) + "\n"


def _keys() -> Iterator[str]:
    """Yield the paragraphs on a recipe's keys."""
    yield "## Recipe keys"
    for place, model in KEYS.items():
        yield f"### {f'`{place}`' if place else 'At the top'}"
        yield inspect.getdoc(model) or ""
        own = [fact for fact in describe_options(model) if "." not in fact["name"]]
        prefix = f"{place}." if place else ""
        yield option_table([{**fact, "name": prefix + fact["name"]} for fact in own], kinds="kinds")


def _components(registry: Registry) -> str:
    """Return the components of each kind, each with a link to its options."""
    found = [component for component, _ in registry]
    rows = []
    for kind in KINDS:
        links = [f"[`{it.name}`](kinds/{kind}.md#{it.name})" for it in found if it.kind == kind]
        rows.append((f"[{kind}](kinds/{kind}.md)", ", ".join(links)))
    return table(("kind", "components"), rows)
