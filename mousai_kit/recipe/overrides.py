"""`--set a.b=c`: changes to a recipe from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from yaml.reader import Reader

from mousai_kit.errors import RecipeError, did_you_mean
from mousai_kit.recipe.extends import merged
from mousai_kit.recipe.values import Faults, Origin, Written
from mousai_kit.recipe.yaml import DEEPEST, parse, scalar

FIRST_RANK = 1_000_000
"""Arguments are read after every file."""


def overridden(tree: Written, arguments: Sequence[str], faults: Faults) -> Written:
    """Return a recipe changed by arguments `path=value`.

    A component is chosen before its options are set, in whichever order the arguments stand.
    """
    changes: list[tuple[list[str], Written]] = []
    for rank, argument in enumerate(arguments, FIRST_RANK):
        origin = Origin(rank, source=f"--set {argument}", has_lines=False)
        changes += _change(argument, origin, faults)
    for keys, value in sorted(changes, key=lambda it: (len(it[0]), it[0][-1] != "use")):
        tree = _Change(keys, value, faults).of(tree)
    return tree


def _change(argument: str, origin: Origin, faults: Faults) -> list[tuple[list[str], Written]]:
    """Return an argument's path and value, or nothing where it is malformed."""
    path, equals, text = argument.partition("=")
    keys = path.strip().split(".")
    if strange := Reader.NON_PRINTABLE.search(argument):
        faults.add(origin, (), f"is not text: it holds {strange.group()!a}")
    elif not equals or not all(keys):
        faults.add(origin, (), "must be written as path=value, such as seed=1")
    elif len(keys) > DEEPEST:
        faults.add(origin, (), f"is nested deeper than {DEEPEST} levels")
    elif keys == ["extends"]:
        faults.add(origin, ("extends",), "can't be set here; write it in a recipe file")
    else:
        with suppress(RecipeError):  # noted in faults
            return [(keys, _value(text.strip(), origin, faults, keys))]
    return []


def _value(text: str, origin: Origin, faults: Faults, keys: list[str]) -> Written:
    """Return a value: a list or a mapping in brackets, a quoted text, or a word as it stands."""
    if text.startswith(("[", "{", "'", '"')):
        return parse(text, origin, faults, tuple(keys))
    return Written(scalar(text), origin)


class _Change:
    """One change on its way down the tree; what can't be changed is noted and left as it is."""

    def __init__(self, keys: list[str], value: Written, faults: Faults) -> None:
        self.keys, self.value, self.faults = keys, value, faults

    def of(self, node: Written, depth: int = 0) -> Written:
        """Return a node with the change made below it."""
        if depth == len(self.keys):
            return merged(self.value, node)
        if isinstance(node.value, list):
            return self._of_list(node, depth)
        return self._of_mapping(node, depth)

    def _of_list(self, node: Written, depth: int) -> Written:
        key, items = self.keys[depth], list(node.value)
        if not (key.isascii() and key.isdigit()):
            return self._fault(node, depth, "is no item of a list; they are numbered from 0")
        if len(key) > 9 or int(key) >= len(items):
            count = f"{len(items)} item{'' if len(items) == 1 else 's'}"
            return self._fault(node, depth, f"is out of range; the list has {count}")
        items[int(key)] = self.of(items[int(key)], depth + 1)
        return Written(items, node.origin)

    def _of_mapping(self, node: Written, depth: int) -> Written:
        key, items = self.keys[depth], _items(node)
        if items is None:
            return self._fault(node, depth - 1, "is a single value and has nothing below it")
        if self.keys[:depth] == ["stages"] and key not in items and len(self.keys) > 2:
            return self._fault(node, depth, f"there is no such stage{did_you_mean(key, items)}")
        below = self.of(items.get(key, Written({}, self.value.origin)), depth + 1)
        if key == "use":
            return merged(Written({"use": below}, below.origin), node)
        origin = node.origin if node.value is items else self.value.origin
        return Written({**items, key: below}, origin)

    def _fault(self, node: Written, depth: int, message: str) -> Written:
        self.faults.add(self.value.origin, tuple(self.keys[: depth + 1]), message)
        return node


def _items(node: Written) -> dict[str, Written] | None:
    """Return what a node holds: a mapping's items, a component's name, nothing; or None."""
    if isinstance(node.value, str):
        return {"use": node}
    return {} if node.value is None else node.value if isinstance(node.value, dict) else None
