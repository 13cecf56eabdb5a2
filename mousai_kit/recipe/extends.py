"""`extends`: a recipe says only in what it differs from another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mousai_kit.errors import did_you_mean, listed, shown
from mousai_kit.recipe.requires import KEY, united
from mousai_kit.recipe.shelf import shipped, shipped_under
from mousai_kit.recipe.values import Faults, Origin, Written
from mousai_kit.recipe.yaml import LARGEST, read

Source = tuple[Path, Origin]
"""A recipe's file, and the origin that stands for it."""


def read_with_bases(given: Path | str, faults: Faults) -> Written:
    """Return a recipe merged with all that it extends; `given` is a file or a shipped name."""
    chain = [_given(given, faults)]
    layers = [_read(chain[0], faults)]
    while (extends := layers[-1].value.pop("extends", None)) is not None:
        chain.append(_base(extends, chain, faults))
        layers.append(_read(chain[-1], faults))
    tree = layers.pop()
    while layers:
        tree = _laid(layers.pop(), tree)
    return tree


def merged(over: Written, under: Written) -> Written:
    """Return `under` changed by `over`: mappings merge, all else replaces.

    A component may be a bare name. Its options stay while its name stays; another name drops them.
    """
    new, old = _items(over, beside=under), _items(under, beside=over)
    if new is None or old is None or (over.value is not new and "use" not in old):
        return over
    if "use" in new and "use" in old and new["use"].plain() != old["use"].plain():
        return Written(new, over.origin)
    items = dict(old)
    for key, item in new.items():
        items[key] = merged(item, items[key]) if key in items else item
    return Written(items, over.origin)


def _laid(over: Written, under: Written) -> Written:
    """Return a recipe laid over the one that it extends; it requires what either requires."""
    both = united(over, under)
    tree = merged(over, under)
    return tree if both is None else Written({**tree.value, KEY: both}, tree.origin)


def _items(written: Written, *, beside: Written) -> dict[str, Written] | None:
    """Return a mapping's items, a bare name beside a mapping as `{use: name}`, or None."""
    if isinstance(written.value, str) and isinstance(beside.value, dict):
        return {"use": written}
    return written.value if isinstance(written.value, dict) else None


def _given(given: Path | str, faults: Faults) -> Source:
    """Return the file of the recipe that the user named."""
    name, path, origin = str(given), _expanded(str(given)), Origin(0, source=str(given) or "''")
    if _is_file(path):
        return path, origin
    if isinstance(given, str) and (found := shipped_under(name)):
        return found, Origin(0, source=found.name)
    if _is_folder(path):
        raise faults.fatal(origin, (), "is a folder; a recipe is a YAML file")
    hint = _hint(path, name)
    raise faults.fatal(origin, (), f"there is no such file and no such shipped recipe{hint}")


def _base(extends: Written, chain: Sequence[Source], faults: Faults) -> Source:
    """Return the file of the recipe that the last one of the chain extends."""
    (child, child_origin), name = chain[-1], extends.value
    here = (extends.origin, ("extends",))
    if not isinstance(name, str) or not name:
        raise faults.fatal(*here, f"must be the name of a recipe (got {shown(name)})")
    path = child.parent / _expanded(name)
    source = str(Path(child_origin.source).parent / name)
    if not _is_file(path):
        if not (found := shipped_under(name)):
            message = f"there is no recipe '{name}' beside this one and none is shipped"
            raise faults.fatal(*here, f"{message}{_hint(path, name)}")
        path, source = found, found.name
    if path.resolve() in [earlier.resolve() for earlier, _ in chain]:
        circle = " -> ".join([*(origin.source for _, origin in chain), source])
        raise faults.fatal(*here, f"is circular: {circle}")
    return path, Origin(len(chain), source=source)


def _read(source: Source, faults: Faults) -> Written:
    path, origin = source
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise faults.fatal(origin, (), f"can't be read: {error.strerror}") from None
    return read(data, origin, faults)


def _hint(path: Path, name: str) -> str:
    """Return the nearest recipe in the path's folder or among the shipped, or all of these."""
    try:
        beside = [str(Path(name).with_name(it.name)) for it in sorted(path.parent.glob("*.yaml"))]
    except (OSError, ValueError):
        beside = []
    there = f"; shipped are {listed(shipped())}" if shipped() else ""
    known = [*beside, *(it if "." not in name else f"{it}.yaml" for it in shipped())]
    return did_you_mean(name, known) or there


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~ of a user that does not exist
        return Path(name)


def _is_file(path: Path) -> bool:
    """Return whether there is something to read: a file, or a pipe."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
