"""Recipes laid over others: `extends` another recipe, and `--set a.b=c` on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from yaml.reader import Reader

from mousai_kit.core.errors import RecipeError, did_you_mean, format_value, join_quoted
from mousai_kit.core.packaged import RECIPE
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe.nodes import KeyPath, Location, Node, ProblemCollector
from mousai_kit.recipe.option_types import alternatives, is_text, may_be_options
from mousai_kit.recipe.requirements import KEY, merge_requirements
from mousai_kit.recipe.shipped import shipped_recipes, shipped_under
from mousai_kit.recipe.yaml import DEEPEST, parse, read_file, scalar

Source = tuple[Path, Location]
"""A recipe's file, and the origin that stands for it."""


def read_with_bases(given: Path | str, faults: ProblemCollector) -> Node:
    """Return a recipe merged with all that it extends; `given` is a file or a shipped name."""
    chain = [_given_source(given, faults)]
    layers = [_read_node(chain[0], faults)]
    while (extends := layers[-1].value.pop("extends", None)) is not None:
        chain.append(_base(extends, chain, faults))
        layers.append(_read_node(chain[-1], faults))
    tree = layers.pop()
    while layers:
        tree = _overlay(layers.pop(), tree)
    return tree


def merge(over: Node, under: Node) -> Node:
    """Return `under` changed by `over`: mappings merge, all else replaces.

    A component may be a bare name. Its options stay while its name stays; another name drops them.
    """
    new, old = _items(over), _items(under)
    if new is None or old is None:
        return over
    if over.value is not new and (under.value is not old or "use" not in old):
        return over
    if "use" in new and "use" in old and new["use"].plain() != old["use"].plain():
        return Node(new, over.origin)
    items = dict(old)
    for key, item in new.items():
        items[key] = merge(item, items[key]) if key in items else item
    return Node(items, over.origin)


def _overlay(over: Node, under: Node) -> Node:
    """Return a recipe laid over the one that it extends; it requires what either requires."""
    both = merge_requirements(over, under)
    tree = merge(over, under)
    return tree if both is None else Node({**tree.value, KEY: both}, tree.origin)


def _items(node: Node) -> dict[str, Node] | None:
    """Return a mapping's items, a component's bare name as `{use: name}`, or None."""
    if isinstance(node.value, str):
        return {"use": node}
    return node.value if isinstance(node.value, dict) else None


def _given_source(given: Path | str, faults: ProblemCollector) -> Source:
    """Return the file of the recipe that the user named."""
    name, path, origin = str(given), _expand(str(given)), Location(0, source=str(given) or "''")
    there = _exists(path)
    if there and not path.is_dir():
        return path, origin
    if isinstance(given, str) and (found := shipped_under(name)):
        return found, Location(0, source=found.name)
    if there and (path / RECIPE).is_file():
        raise faults.fatal(origin, (), f"is a run folder; name its recipe: {Path(name) / RECIPE}")
    if there:
        raise faults.fatal(origin, (), "is a folder; a recipe is a YAML file")
    if name in installed_registry().pretrained_systems:
        told = f"is a trained system, which `mousai-kit generate {name}` plays"
        raise faults.fatal(origin, (), f"{told}; a recipe can start from it (`weights: {name}`)")
    hint = _hint(path, name)
    raise faults.fatal(origin, (), f"there is no such file and no such shipped recipe{hint}")


def _base(extends: Node, chain: Sequence[Source], faults: ProblemCollector) -> Source:
    """Return the file of the recipe that the last one of the chain extends."""
    (child, child_origin), name = chain[-1], extends.value
    here = (extends.origin, ("extends",))
    if not isinstance(name, str) or not name:
        raise faults.fatal(*here, f"must be the name of a recipe (got {format_value(name)})")
    path = child.parent / _expand(name)
    source = str(Path(child_origin.source).parent / name)
    if not _exists(path) or path.is_dir():
        if not (found := shipped_under(name)):
            message = f"there is no recipe '{name}' beside this one and none is shipped"
            raise faults.fatal(*here, f"{message}{_hint(path, name)}")
        path, source = found, found.name
    if path.resolve() in [earlier.resolve() for earlier, _ in chain]:
        circle = " -> ".join([*(origin.source for _, origin in chain), source])
        raise faults.fatal(*here, f"is circular: {circle}")
    return path, Location(len(chain), source=source)


def _read_node(source: Source, faults: ProblemCollector) -> Node:
    path, origin = source
    try:
        return read_file(path, replace(origin, folder=path.parent), faults)
    except OSError as error:
        raise faults.fatal(origin, (), f"can't be read: {error.strerror}") from None


def _hint(path: Path, name: str) -> str:
    """Return the nearest recipe in the path's folder or among the shipped, or all of these."""
    shipped = shipped_recipes()
    known: list[str] = []
    with suppress(OSError, ValueError):
        beside = sorted(path.parent.glob("*.yaml"))
        known += [str(Path(name).with_name(item.name)) for item in beside]
    known += [f"{recipe}.yaml" if "." in name else recipe for recipe in shipped]
    there = f"; shipped are {join_quoted(shipped)}" if shipped else ""
    return did_you_mean(name, known) or there


def _expand(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~ of a user that does not exist
        return Path(name)


def _exists(path: Path) -> bool:
    """Return whether anything is there; False where the path can not even be looked at."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


NULL = ("null", "Null", "NULL")
"""Words that mean null whatever the option; `~` is text where text is wanted: the user's home."""
FIRST_RANK = 1_000_000
"""Arguments are read after every file."""


def apply_overrides(
    tree: Node,
    arguments: Sequence[str],
    faults: ProblemCollector,
    type_of: Callable[[Node, KeyPath], Any],
) -> Node:
    """Return a recipe changed by arguments `path=value`.

    A component is chosen before its options are set, in whichever order the arguments stand.
    `type_of` tells how an option is annotated: what is said of one that is text is text.
    """
    changes: list[tuple[list[str], str, Location]] = []
    for rank, argument in enumerate(arguments, FIRST_RANK):
        origin = Location(rank, source=f"--set {argument}", has_lines=False)
        changes += _change(argument, origin, faults)
    for keys, word, origin in sorted(changes, key=lambda key: (len(key[0]), key[0][-1] != "use")):
        with suppress(RecipeError):  # noted in faults
            value = _value(word, origin, faults, tuple(keys), type_of(tree, tuple(keys)))
            tree = _Override(keys, value, faults).of(tree)
    return tree


def _value(
    word: str, origin: Location, faults: ProblemCollector, place: KeyPath, annotation: Any
) -> Node:
    """Return what an argument says of an option so annotated; RecipeError where it is malformed."""
    text = is_text(annotation)
    if not word:
        raise faults.fatal(
            origin, place, "has no value after `=`; null says none, '' an empty text"
        )
    if text and word in NULL and type(None) not in alternatives(annotation):
        told = f"must be text (got null); a text of these letters is written {format_value(word)}"
        faults.add(origin, place, f"{told}, with its quotes")
        return Node(word, origin)
    if not word.startswith(("[", "{", "'", '"')):
        plain = scalar(word)
        none = plain is None and (not text or type(None) in alternatives(annotation))
        return Node(None if none else word if text else plain, origin)
    if not text:
        return parse(word, origin, faults, place)
    with suppress(RecipeError):
        said = parse(word, origin, ProblemCollector(), place)
        is_meant = isinstance(said.value, str) or (
            isinstance(said.value, dict) and may_be_options(annotation)
        )
        return said if is_meant else Node(word, origin)
    return Node(word, origin)


def _change(
    argument: str, origin: Location, faults: ProblemCollector
) -> list[tuple[list[str], str, Location]]:
    """Return an argument's path and word, or nothing where it is malformed."""
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
        return [(keys, text.strip(), origin)]
    return []


class _Override:
    """One change on its way down the tree; what can't be changed is noted and left as it is."""

    def __init__(self, keys: list[str], value: Node, faults: ProblemCollector) -> None:
        self.keys, self.value, self.faults = keys, value, faults

    def of(self, node: Node, depth: int = 0) -> Node:
        """Return a node with the change made below it."""
        if depth == len(self.keys):
            return merge(self.value, node)
        if isinstance(node.value, list):
            return self._of_list(node, depth)
        return self._of_mapping(node, depth)

    def _of_list(self, node: Node, depth: int) -> Node:
        key, items = self.keys[depth], list(node.value)
        if not (key.isascii() and key.isdigit()):
            return self._fault(node, depth, "is no item of a list; they are numbered from 0")
        if len(key) > 9 or int(key) >= len(items):
            count = f"{len(items)} item{'' if len(items) == 1 else 's'}"
            return self._fault(node, depth, f"is out of range; the list has {count}")
        items[int(key)] = self.of(items[int(key)], depth + 1)
        return Node(items, node.origin)

    def _of_mapping(self, node: Node, depth: int) -> Node:
        key, items = self.keys[depth], {} if node.value is None else _items(node)
        if items is None:
            return self._fault(node, depth - 1, "is a single value and has nothing below it")
        if self.keys[:depth] == ["stages"] and key not in items and len(self.keys) > 2:
            return self._fault(node, depth, f"there is no such stage{did_you_mean(key, items)}")
        below = self.of(items.get(key, Node({}, self.value.origin)), depth + 1)
        if key == "use":
            return merge(Node({"use": below}, below.origin), node)
        origin = node.origin if node.value is items else self.value.origin
        return Node({**items, key: below}, origin)

    def _fault(self, node: Node, depth: int, message: str) -> Node:
        self.faults.add(self.value.origin, tuple(self.keys[: depth + 1]), message)
        return node
