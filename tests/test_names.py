"""Names are the field's: verbs for what acts, nouns for what is; one name, one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for room in ("mousai_kit", "plugins") for path in (ROOT / room).rglob("*.py"))
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in FILES}

IRREGULAR = """
begun bound broken brought built caught chosen done drawn driven fallen fed felt forgotten
found frozen given gone grown heard held hidden kept known laid led left lent lost made
meant met paid said seen sent shaken shown sold spent spoken stands stood stolen taken
taught thought thrown told torn understood woken won worn woven written
"""
NO_PARTICIPLES = {"embed", "feed", "need", "seed", "speed"}
"""Words that end like one."""
HOOKS = {"mousai_kit_components", "mousai_kit_trained"}


def is_bare_participle(name: str) -> bool:
    word = name.strip("_")
    if "_" in word or word in NO_PARTICIPLES:
        return False
    return word in IRREGULAR.split() or word.endswith("ed")


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def is_command(node) -> bool:
    """Whether a function is a command of the program, which bears the command's name."""
    return any(ast.unparse(decorator).endswith(".command()") for decorator in node.decorator_list)


def bound_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        *((name, True) for name in ("told", "_kept", "finished", "stands")),
        *((name, False) for name in ("seed", "read", "embed", "trained_stages", "build")),
    ],
)
def test_a_bare_past_participle_is_known(name, bare):
    assert is_bare_participle(name) is bare


def test_no_function_is_named_by_a_bare_past_participle():
    found = [
        f"{path}:{node.lineno}: {node.name}"
        for path, tree in TREES.items()
        for node in functions(tree)
        if is_bare_participle(node.name)
    ]
    assert found == []


def test_no_variable_is_called_it():
    found = [
        f"{path}:{line}"
        for path, tree in TREES.items()
        for name, line in bound_names(tree)
        if name == "it"
    ]
    assert found == []


def test_no_two_public_definitions_have_one_name():
    places = defaultdict(set)
    for path, tree in TREES.items():
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and node.name not in HOOKS
                and not is_command(node)
            ):
                places[node.name].add(path)
    assert {name: sorted(paths) for name, paths in places.items() if len(paths) > 1} == {}


def test_no_two_test_files_have_one_name():
    """Two of one name can't be collected together, though each alone passes."""
    places = defaultdict(list)
    for path in (ROOT / "tests").rglob("*.py"):
        places[path.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {
        "conftest.py": places["conftest.py"]
    }
