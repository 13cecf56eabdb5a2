"""What a recipe says in an earlier version's words: former names, and options on their way out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from mousai_kit.core.component import ComponentLookup, Options, Use
from mousai_kit.core.errors import Problem, format_path
from mousai_kit.recipe.merging import FIRST_RANK
from mousai_kit.recipe.nodes import KeyPath, Node, Notice, ProblemCollector
from mousai_kit.recipe.option_types import alternatives


@dataclass
class DeprecationPass:
    """Puts a recipe's tree into today's words, which are those of the classes that it names.

    A component's former name stays in it, as the registry knows those. Whatever is wrong with it is
    left as it is, for validation to tell.
    """

    registry: ComponentLookup
    faults: ProblemCollector
    notices: list[Notice] = field(default_factory=list)

    def of(self, tree: Node, annotation: Any, place: KeyPath = ()) -> Node:
        """Return the tree of a value so annotated, each former name in it replaced and noted."""
        for form in alternatives(annotation):
            value, origin, inner = tree.value, get_origin(form), get_args(form)
            if origin is Use:
                return self._slot(tree, inner[0].kind, place)
            if origin is list and isinstance(value, list):
                listed = [self.of(item, inner[0], (*place, at)) for at, item in enumerate(value)]
                return replace(tree, value=listed)
            if origin is dict and isinstance(value, dict):
                items = {key: self.of(item, inner[1], (*place, key)) for key, item in value.items()}
                return replace(tree, value=items)
            if isinstance(value, dict) and isinstance(form, type) and issubclass(form, Options):
                return self._options(tree, form, place)
        return tree

    def _slot(self, tree: Node, kind: str, place: KeyPath) -> Node:
        """Return what a slot holds: a bare name, or `use: <name>` with options."""
        inside = isinstance(tree.value, dict)
        said = tree.value.get("use", tree) if inside else tree
        if not isinstance(said.value, str):
            return tree
        try:
            component = self.registry.find(kind, said.value)
        except LookupError:
            return tree
        if component.name != said.value:
            at = (*place, "use") if inside else place
            self._note(said, at, f"'{said.value}' is called '{component.name}' now")
        if not inside:
            return tree
        options = {key: child for key, child in tree.value.items() if key != "use"}
        known = self._options(replace(tree, value=options), component.Options, place)
        return replace(tree, value={"use": said, **known.value})

    def _options(self, tree: Node, model: type[Options], place: KeyPath) -> Node:
        """Return options under today's names; of one that is said under both, the last word."""
        items: dict[str, Node] = {}
        for key, item in tree.value.items():
            name = model.former_names.get(key, key)
            if name != key:
                self._note(item, (*place, key), f"is called '{name}' now")
            if name in items and _weight(item) == _weight(items[name]):
                self.faults.add(
                    item.origin, (*place, key), f"is said twice, as '{name}' too; leave one"
                )
            if name not in items or _weight(item) > _weight(items[name]):
                items[name] = item
        found = model.model_fields
        for name, item in items.items():
            if name in found:
                items[name] = self.of(item, found[name].annotation, (*place, name))
                self._note_deprecated(items[name], found[name], (*place, name))
        return replace(tree, value=items)

    def _note_deprecated(self, item: Node, option: FieldInfo, place: KeyPath) -> None:
        """Note an option that is on its way out, unless it says what holds without it."""
        if option.deprecation_message is not None:
            default = option.get_default(call_default_factory=True, validated_data={})
            if item.plain() != to_jsonable_python(default, fallback=str):
                self._note(item, place, f"is deprecated: {option.deprecation_message}")

    def _note(self, item: Node, place: KeyPath, message: str) -> None:
        problem = Problem(str(item.origin), format_path(place), message)
        self.notices.append(Notice(item.origin, problem))


def _weight(item: Node) -> int:
    """Return a number that grows from the last base by the recipe to the last `--set`."""
    return item.origin.rank if item.origin.rank >= FIRST_RANK else -item.origin.rank
