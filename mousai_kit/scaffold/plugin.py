"""A new plug-in: a package with one component, its tests, and a recipe that uses it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from string import Template

from mousai_kit import __version__
from mousai_kit.hookspecs import HOOKS
from mousai_kit.inspection import kind_called
from mousai_kit.interfaces import KINDS
from mousai_kit.scaffold.naming import Naming
from mousai_kit.scaffold.writing import write_folder

TEMPLATES = Path(__file__).parent / "templates"
"""A folder for each kind, and one for what all packages have."""
FILES = {
    "pyproject.toml": "package/pyproject.toml",
    "README.md": "package/README.md",
    ".gitignore": "package/gitignore",
    "$component.yaml": "$kind/recipe.yaml",
    "src/$module/__init__.py": "package/__init__.py",
    "src/$module/$kind.py": "$kind/component.py",
    "src/$module/py.typed": "package/py.typed",
    "tests/test_$kind.py": "$kind/test.py",
}
"""Each file of a package, and its template."""


def new_plugin(name: str, kind: str, into: Path | None = None) -> list[str]:
    """Write a package that offers a component of a kind; return what to tell the user.

    RequestError, and nothing written, where a name is bad or taken, the kind is unknown, or the
    folder (by default the package's name, here) is not empty or can't be written.
    """
    kind, naming = kind_called(kind, KINDS), Naming.of(name)
    naming.check_free(kind)
    files = package(naming, kind)
    for place, text in files.items():
        if place.endswith(".py"):
            naming.check_code(text)
    target = into or Path(naming.distribution)
    write_folder(files, target)
    return [
        f"{target}: the {_words(kind)} '{naming.component}', ready to be installed",
        "",
        "Try next:",
        f"  cd {quote(str(target))}",
        "  pip install -e '.[test]' && python -m pytest",
        f"  mousai-kit run {naming.component}.yaml",
        "",
        f"Yours to edit: src/{naming.module}/{kind}.py, where your own method goes. With it go the",
        f"tests of the template's method, marked so in tests/test_{kind}.py; the contract stays.",
    ]


def package(naming: Naming, kind: str) -> dict[str, str]:
    """Return the files of a package: each one's text by its place."""
    words = {
        "component": naming.component,
        "distribution": naming.distribution,
        "module": naming.module,
        "klass": naming.klass,
        "kind": kind,
        "words": _words(kind),
        "base": KINDS[kind].__name__,
        "hook": HOOKS[kind],
        "version": __version__,
    }
    words["use"] = _filled(f"{kind}/use.md", words).rstrip()
    return {
        Template(place).substitute(words): _filled(Template(source).substitute(words), words)
        for place, source in FILES.items()
    }


def _words(kind: str) -> str:
    """Return a kind as prose has it."""
    return kind.replace("_", " ")


def _filled(template: str, words: dict[str, str]) -> str:
    """Return a template with its words filled in."""
    text = (TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
    return Template(text).substitute(words)
