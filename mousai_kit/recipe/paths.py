"""Paths in recipes: relative ones are beside the recipe that says them, on the command line here.

What an option of type `LocalPath` or `PathOrName` says is made absolute, so that it means the same
wherever a command is started, and in the recipe that a run folder keeps. What such a recipe says
stays as it stands: relative paths in it are an earlier version's, and from where one stands.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from mousai_kit.core.component import PathOption, Use, iter_slots
from mousai_kit.core.errors import Problem, format_path
from mousai_kit.core.packaged import RECIPE
from mousai_kit.core.registry import Registry
from mousai_kit.recipe.nodes import KeyPath, Node, Notice
from mousai_kit.recipe.option_types import field_type, option_type, path_option

_ELSEWHERE = re.compile(r"~|/|[a-z0-9+]+://|pipe:")
"""How what is no relative path begins."""


class PathPass:
    """Makes the paths of a recipe's tree absolute; `notices` tells of those that are not beside it.

    Earlier versions took all from here: what is not beside a recipe, but here, still is.
    """

    def __init__(self, tree: Node, annotation: Any, registry: Registry) -> None:
        self.tree, self.annotation, self.registry = tree, annotation, registry
        self.notices: list[Notice] = []

    def resolve(self) -> Node:
        """Return the tree with every path in it absolute."""
        return self._of(self.tree, ())

    def _of(self, node: Node, place: KeyPath) -> Node:
        match node.value:
            case dict():
                items = {key: self._of(item, (*place, key)) for key, item in node.value.items()}
                return replace(node, value=items)
            case list():
                listed = [self._of(item, (*place, at)) for at, item in enumerate(node.value)]
                return replace(node, value=listed)
            case str() if found := path_option(
                option_type(self.tree, place, self.annotation, self.registry)
            ):
                return replace(node, value=self._absolute(node, place, found))
        return node

    def _absolute(self, node: Node, place: KeyPath, option: PathOption) -> str:
        """Return a path as it is meant; a name that is no path, and a faulty one, as it stands."""
        text: str = node.value
        if not text or "\0" in text or _ELSEWHERE.match(text):
            return text
        here = Path.cwd()
        bases = [here / (node.origin.folder or here), here]
        base = next((base for base in bases if self._is_there(base, text, option)), None)
        if base is None and option.may_be_name:
            return text
        if base not in (None, bases[0]):
            told = (
                f"is not beside the recipe, where it belongs; {here / text} is used, as in earlier "
                f"versions: write that, or what is right (got '{text}')"
            )
            problem = Problem(str(node.origin), format_path(place), told)
            self.notices.append(Notice(node.origin, problem))
        path = (base or bases[0]) / text
        return str(path.resolve() if ".." in path.parts else path)

    def _is_there(self, base: Path, text: str, option: PathOption) -> bool:
        """Return whether a base has what a path names: of one with braces, the folder of it."""
        head, brace, _ = text.partition("{")
        path = (base / f"{head}x").parent if brace else base / text
        if option.may_be_name and text in self.registry.pretrained_systems:
            return path.is_file() or (path / RECIPE).is_file()
        try:
            return path.exists()
        except OSError:  # too long a name, say
            return False


def paths_in(use: Use[Any]) -> dict[str, str]:
    """Return the paths that options name, those of components inside too, by where they stand.

    They are absolute; `~` is the user's home.
    """
    return {
        format_path((*place, name)): str(_as_meant(Path(value).expanduser(), option))
        for place, slot in iter_slots(use)
        for name, field in type(slot.options).model_fields.items()
        if (option := path_option(field_type(field))) and (value := vars(slot.options)[name])
    }


def _as_meant(path: Path, option: PathOption) -> Path:
    """Return a path as absolute, or a name as it stands."""
    return path if option.may_be_name and not path.exists() else path.absolute()
