"""How the modules hang together: no import goes round in a circle, not even for annotations."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import mousai_kit

ROOT = Path(mousai_kit.__file__).parent


def modules():
    """Return the files of all modules by their names."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree, known):
    """Return the modules that a module's code imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in inner)


def imports():
    """Return for each module those that it imports, those for annotations included.

    A package's own modules are no import of the package: `__init__` comes first in any case.
    """
    found = modules()
    return {
        name: {it for it in imported(ast.parse(path.read_text("utf-8")), found) if it in found}
        - {name}
        for name, path in found.items()
    }


def circle(graph):
    """Return the modules of a circle of imports; none where there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_each_other_not_even_for_annotations():
    assert circle(imports()) == []


def test_a_circle_under_type_checking_would_be_found():
    text = "if TYPE_CHECKING:\n    from b.c import D"
    assert set(imported(ast.parse(text), {"a", "b.c"})) == {"b.c"}
    assert set(circle({"a": {"b.c"}, "b.c": {"a"}, "d": {"a"}})) == {"a", "b.c"}
