"""The page of all that is public: every name of `mousai_kit.api`, with what its source says."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TypeGuard

from generate.interface import class_parts, method, read, statement_doc
from generate.markdown import reflowed, table
from mousai_kit import api
from mousai_kit.core.interfaces import KINDS

TITLE = "# The public names"
INTRODUCTION = (
    "Every name of `import mousai_kit.api as mk`, by what it is about; [Python](python.md) shows "
    "them at work. What is not here may change without notice."
)
SECTIONS = {
    "Systems and music": ("recipe", "generation", "training"),
    "Components": ("core",),
    "Errors": ("core.errors",),
    "What methods take and give": ("core.interfaces",),
    "Audio": ("audio",),
    "Music and captions": ("data",),
    "Networks, sampling and texts": ("models",),
}
"""Which rooms' names stand under a title; of several that fit, the longest."""
ELSEWHERE = {
    "Field": "pydantic's `Field`: an option's default, range and description.",
    "hookimpl": "marks the function by which a plug-in gives its components.",
    "torchaudio": "torchaudio, also where its compiled extension cannot load.",
}
"""What is to know of names that no module of ours defines."""


def api_page() -> str:
    """Return the page."""
    kinds = [kind.__name__ for kind in KINDS.values()]
    found = {name: _definition(api, name) for name in api.__all__ if name not in kinds}
    parts = [TITLE, INTRODUCTION, "## Kinds of part", _kinds()]
    for title in SECTIONS:
        parts.append(f"## {title}")
        for name, (module, node) in found.items():
            if _title(module) == title:
                parts += [f"### `mk.{name}`", *_entry(name, module, node)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _kinds() -> str:
    """Return a table of the kinds, each with its page."""
    lines = {kind: (inspect.getdoc(it) or "").splitlines()[0] for kind, it in KINDS.items()}
    rows = [(f"[`mk.{KINDS[kind].__name__}`](kinds/{kind}.md)", lines[kind]) for kind in KINDS]
    return table(("class", "what it does"), rows)


def _title(module: ModuleType) -> str:
    """Return the title under which the names of a module stand."""
    room = module.__name__.removeprefix("mousai_kit.")
    rooms = {part: title for title, parts in SECTIONS.items() for part in parts}
    near = [part for part in rooms if room == part or room.startswith(f"{part}.")]
    assert near, f"{room} has no title here; give it one in SECTIONS"
    return rooms[max(near, key=len)]


def _definition(module: ModuleType, name: str) -> tuple[ModuleType, ast.stmt | None]:
    """Return the module of ours that defines a name, and where; None for what is elsewhere's."""
    for node in _statements(read(module)[1]):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            return module, node
        if _imports(node, name):
            inner = import_module(str(node.module))
            value = getattr(inner, name)
            return (value, None) if _is_ours(value) else _definition(inner, name)
    return module, None


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield a module's statements, those for type checkers alone included."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from node.body


def _imports(node: ast.stmt, name: str) -> TypeGuard[ast.ImportFrom]:
    """Tell whether a statement imports a name from a module of ours."""
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("mousai_kit"):
        return False
    return name in [alias.name for alias in node.names]


def _is_ours(value: object) -> bool:
    return isinstance(value, ModuleType) and value.__name__.startswith("mousai_kit")


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    """Return the names that a statement gives a value."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets]


def _entry(name: str, module: ModuleType, node: ast.stmt | None) -> Iterator[str]:
    """Yield what is to know of a name."""
    source, tree = read(module)
    match node:
        case ast.ClassDef():
            yield from class_parts(module, node, kinds="kinds")
        case ast.FunctionDef():
            yield method(source, node)
        case ast.Assign() | ast.AnnAssign() if name not in ELSEWHERE:
            after = tree.body[tree.body.index(node) + 1]
            yield f"```pyi\n{ast.get_source_segment(source, node)}\n```"
            yield statement_doc(after)
        case _:
            told = ELSEWHERE.get(name) or (inspect.getdoc(module) or "").split("\n\n")[0]
            yield reflowed(told)
