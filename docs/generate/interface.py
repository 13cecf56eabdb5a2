"""An interface as its source says it: attributes, methods with their signatures, and its values."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from generate.markdown import option_table, reflowed, table
from mousai_kit.core.component import Component, Options
from mousai_kit.core.option_docs import describe_options
from mousai_kit.recipe import Recipe

Function = ast.FunctionDef


def interface(kind: type[Component]) -> Iterator[str]:
    """Yield what a component of a kind has: what it must, and what it may."""
    source, tree = read(module_of(kind))
    body = _class(tree, kind.__name__).body
    functions = [it for it in body if isinstance(it, Function)]
    yield "## Interface"
    yield from _attributes(body)
    built = [it for it in functions if it.name == "__init__"]
    must = [it for it in functions if "abstractmethod" in _decorators(it)]
    may = [it for it in functions if it not in (*built, *must) and ast.get_docstring(it)]
    if built and kind.build_kwargs:
        yield f"### Built with\n\n{_signature(source, built[0])}"
    yield "### Must be there"
    yield from _methods(source, must)
    if may:
        yield "### May be there"
        yield from _methods(source, may)


HIDDEN = ("kind", "build_kwargs", "optional_build_kwargs")
"""Attributes of an interface that its page tells in its head."""


def keywords(kind: type[Component]) -> str:
    """Return what a kind is built with, in a table's words."""
    always = ", ".join(f"`{keyword}`" for keyword in kind.build_kwargs) or "none"
    optional = ", ".join(f"`{keyword}`" for keyword in kind.optional_build_kwargs)
    return f"{always}; where asked for: {optional}" if optional else always


def module_of(kind: type[Component]) -> ModuleType:
    """Return the module of an interface."""
    return sys.modules[kind.__module__]


def values(module: ModuleType, *, without: str = "") -> Iterator[str]:
    """Yield the public classes of a module, but for one: what methods take and give."""
    for it in read(module)[1].body:
        if isinstance(it, ast.ClassDef) and it.name != without and not it.name.startswith("_"):
            yield f"### `mk.{it.name}`"
            yield from class_parts(module, it)


def class_parts(module: ModuleType, node: ast.ClassDef, *, kinds: str = ".") -> Iterator[str]:
    """Yield a class's docstring, its attributes or options, and its public methods."""
    yield reflowed(ast.get_docstring(node) or "")
    told = getattr(module, node.name)
    if told is Recipe:
        yield "Its keys stand in the [reference](reference.md)."
    elif issubclass(told, Options):
        yield option_table(describe_options(told), kinds=kinds)
    else:
        yield from _attributes(node.body)
    functions = [each for each in node.body if isinstance(each, Function)]
    yield from _methods(read(module)[0], [each for each in functions if _is_public(each)])


def _is_public(function: Function) -> bool:
    hidden = function.name.startswith("_") and not function.name.startswith("__")
    hidden = hidden or "pydantic" in function.name
    return bool(ast.get_docstring(function)) and not hidden


def _attributes(body: list[ast.stmt]) -> Iterator[str]:
    """Yield a table of a class's attributes, if it has any that are told."""
    rows = []
    for it, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(it, ast.AnnAssign) and ast.unparse(it.target) not in HIDDEN:
            default = f" = {ast.unparse(it.value)}" if it.value else ""
            kind = ast.unparse(it.annotation).removeprefix("ClassVar[")
            kind = kind if kind == ast.unparse(it.annotation) else kind[:-1]
            rows.append((f"`{ast.unparse(it.target)}: {kind}{default}`", statement_doc(after)))
    if rows:
        yield table(("attribute", "meaning"), rows)


def statement_doc(statement: ast.stmt) -> str:
    """Return the docstring that a statement is, as one line; empty for any other."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""


def _methods(source: str, functions: list[Function]) -> Iterator[str]:
    yield from (method(source, it) for it in functions)


def method(source: str, function: Function) -> str:
    """Return a function's head and what its docstring says."""
    return f"{_signature(source, function)}\n\n{reflowed(ast.get_docstring(function) or '')}"


def _signature(source: str, function: Function) -> str:
    """Return a method's head as it is written, as a stub."""
    lines = source.splitlines()[function.lineno - 1 : function.body[0].lineno]
    if function.body[0].lineno == function.lineno:
        lines = [lines[0][: function.body[0].col_offset]]
    else:
        lines = lines[:-1]
    above = [f"@{it}" for it in _decorators(function) if it != "abstractmethod"]
    head = textwrap.dedent("\n".join(lines)).rstrip()
    return "\n".join(["```pyi", *above, f"{head} ...", "```"])


def _decorators(function: Function) -> list[str]:
    return [ast.unparse(it) for it in function.decorator_list]


def _class(tree: ast.Module, name: str) -> ast.ClassDef:
    return next(it for it in tree.body if isinstance(it, ast.ClassDef) and it.name == name)


@cache
def read(module: ModuleType) -> tuple[str, ast.Module]:
    """Return a module's source, as text and as a tree."""
    source = inspect.getsource(module)
    return source, ast.parse(source)
