"""A plug-in's folder that is there already: what is in it, and how its hook gets one more class."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mousai_kit.core.errors import RequestError
from mousai_kit.core.hookspecs import GROUP
from mousai_kit.core.interfaces import KINDS

HOOK = "mousai_kit_components"
"""The hook that returns a plug-in's classes."""
WIDEST = 100
"""Characters of a line of code, at most."""


@dataclass(frozen=True, slots=True)
class PluginFolder:
    """The folder of a plug-in's package, as its pyproject.toml describes it."""

    folder: Path
    distribution: str
    module: str
    """Name of the package that its entry point leads into."""
    source: str
    """Folder of that package, within the folder."""
    hook: str
    """File of the entry point, within the folder."""

    @classmethod
    def find(cls, folder: Path) -> PluginFolder | None:
        """Return what is in a folder; None where it is no plug-in's.

        RequestError where it is one to which nothing can be added.
        """
        try:
            project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
            name = str(project["project"]["name"])
            points: dict[str, str] = project["project"]["entry-points"][GROUP]
            target = next(iter(points.values())).partition(":")[0]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
            return None
        module, place = target.partition(".")[0], target.replace(".", "/")
        for root in ("src/", ""):
            hooks = (f"{root}{place}/__init__.py", f"{root}{place}.py")
            hook = next((hook for hook in hooks if (folder / hook).is_file()), None)
            if hook and (folder / root / module / "__init__.py").is_file():
                return cls(folder, name, module, f"{root}{module}", hook)
        told = f"its plug-in '{target}' is no package in it, beside whose files others could stand"
        raise RequestError.about(folder, f"{told}; name a new folder with --into")

    def has(self, place: str) -> bool:
        """Tell whether there is something at a place."""
        path = self.folder / place
        return path.exists() or path.is_symlink()

    def hook_code(self) -> str | None:
        """Return the code of the hook's file; None where it could not be written as it is read."""
        try:
            code = (self.folder / self.hook).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return None if "\r" in code else code

    def place_of(self, component: str, kind: str) -> str | None:
        """Return the file in which a component of the kind has the name; None where none has."""
        for path in sorted((self.folder / self.source).rglob("*.py")):
            try:
                tree = ast.parse(path.read_bytes())
            except (OSError, ValueError, SyntaxError):
                continue
            if component in _names_of(tree, KINDS[kind].__name__):
                return str(path.relative_to(self.folder))
        return None


def _names_of(tree: ast.Module, interface: str) -> Iterator[Any]:
    """Yield what classes are called in recipes that are derived from some form of an interface."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base) for base in node.bases]
        if any(base.endswith(interface) for base in bases):
            yield from (
                item.value.value
                for item in node.body
                if isinstance(item, ast.Assign)
                and isinstance(item.value, ast.Constant)
                and [ast.unparse(target) for target in item.targets] == ["name"]
            )


def add_to_hook(code: str, *, module: str, klass: str, kind: str) -> str | None:
    """Return a hook's code that returns one more class, of a module; None where that is not safe.

    It is where the hook ends with its one `return`, of a list that is written out.
    """
    hook = _hook_in(code)
    if hook is None:
        return None
    returned = hook.body[-1]
    assert isinstance(returned, ast.Return)
    name = klass if klass not in _bound_names(code) else alias_of(klass, kind)
    if name in _bound_names(code):
        return None
    lines = code.split("\n")
    if not _extend_list(lines, returned, name):
        return None
    _insert_import(lines, hook, module, klass, name)
    changed = "\n".join(lines)
    return changed if _returns(changed) == [*(_returns(code) or []), name] else None


def _hook_in(code: str) -> ast.FunctionDef | None:
    """Return the one hook of a file that ends with its one `return` of a list; None without."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return None
    hooks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == HOOK]
    returns = [node for hook in hooks for node in ast.walk(hook) if isinstance(node, ast.Return)]
    if len(hooks) != 1 or len(returns) != 1 or hooks[0].body[-1] is not returns[0]:
        return None
    return hooks[0] if isinstance(returns[0].value, ast.List) else None


def _returns(code: str) -> list[str] | None:
    """Return what a hook's list has, element by element; None where it has none."""
    hook = _hook_in(code)
    if hook is None:
        return None
    returned = hook.body[-1]
    assert isinstance(returned, ast.Return)
    assert isinstance(returned.value, ast.List)
    return [ast.unparse(element) for element in returned.value.elts]


def _bound_names(code: str) -> set[str]:
    """Return all names that code uses, imports or gives to something."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(id=name) | ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.partition(".")[0])
    return found


def _extend_list(lines: list[str], returned: ast.Return, name: str) -> bool:
    """Add a name to a list that is written out, in place; tell whether that could be done."""
    listed = returned.value
    assert isinstance(listed, ast.List)
    assert listed.end_lineno is not None
    assert listed.end_col_offset is not None
    first, last = listed.lineno - 1, listed.end_lineno - 1
    indent = " " * returned.col_offset
    if first == last:
        line = lines[first]
        if not line.isascii():
            return False  # ast counts bytes
        before, after = line[: listed.col_offset], line[listed.end_col_offset :]
        names = [*(ast.unparse(element) for element in listed.elts), name]
        whole = f"{before}[{', '.join(names)}]{after}"
        apart = [f"{before}[", *(f"{indent}    {item}," for item in names), f"{indent}]{after}"]
        lines[first : first + 1] = [whole] if len(whole) <= WIDEST else apart
        return True
    filled = [line for line in lines[first:last] if line.partition("#")[0].strip()]
    if lines[last].strip() != "]" or not filled[-1].partition("#")[0].rstrip().endswith((",", "[")):
        return False
    lines.insert(last, f"{indent}    {name},")
    return True


def _insert_import(
    lines: list[str], hook: ast.FunctionDef, module: str, klass: str, name: str
) -> None:
    """Insert the import of a class among those of a hook, in the order of modules."""
    told = klass if klass == name else f"{klass} as {name}"
    imports = [node for node in hook.body if isinstance(node, ast.ImportFrom)]
    indent = " " * hook.body[-1].col_offset
    line = f"{indent}from {module} import {told}"
    new = [line]
    if len(line) > WIDEST:
        new = [f"{indent}from {module} import (", f"{indent}    {told},", f"{indent})"]
    later = [node for node in imports if node.level or (node.module or "") > module]
    if later:
        at = later[0].lineno - 1
    elif imports:
        at = imports[-1].end_lineno or imports[-1].lineno
    else:
        at, new = hook.body[-1].lineno - 1, [*new, ""]
    lines[at:at] = new


def alias_of(klass: str, kind: str) -> str:
    """Return what a class is imported as beside another of its name."""
    return klass + "".join(word.capitalize() for word in kind.split("_"))
