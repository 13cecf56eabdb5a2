"""A new plug-in: a package with one component, its tests, a recipe that uses it, their names."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from shlex import quote
from string import Template

from mousai_kit import __version__
from mousai_kit.cli.scaffold.writing import write_folder
from mousai_kit.core.component import NAME
from mousai_kit.core.errors import RequestError, did_you_mean
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import kind_called

PREFIX = "mousai-kit-"
"""How packages of plug-ins begin, so that a search finds them beside each other."""
LONGEST = 27
"""Characters of a name at most, so that lines of code with it stay short."""


@dataclass(frozen=True, slots=True)
class PluginNames:
    """The names of a plug-in that offers one component: all follow from the component's."""

    component: str
    """`slow-turn`"""

    @classmethod
    def of(cls, typed: str) -> PluginNames:
        """Return the names for what a user typed, with the prefix or without; RequestError."""
        naming = cls(typed.removeprefix(PREFIX))
        name, klass = naming.component, naming.class_name
        if not (NAME.fullmatch(name) and name[0].isalpha()):
            slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
            rule = "must be lower-case words joined by '-', and begin with a letter"
            hint = did_you_mean(name.lower(), filter(None, [slug]))
            raise RequestError.about(typed or "''", rule + hint)
        if len(name) > LONGEST:
            raise naming.fault(f"is longer than {LONGEST} characters")
        if iskeyword(klass) or hasattr(builtins, klass):
            raise naming.fault(f"would make a class '{klass}', which is Python's own")
        if klass.startswith("Test"):
            raise naming.fault(f"would make a class '{klass}', which pytest takes for a test")
        return naming

    @property
    def distribution(self) -> str:
        """`mousai-kit-slow-turn`."""
        return PREFIX + self.component

    @property
    def module(self) -> str:
        """`mousai_kit_slow_turn`."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """`SlowTurn`."""
        return "".join(word.capitalize() for word in self.component.split("-"))

    def check_free(self, kind: str) -> None:
        """Raise RequestError where a component, a package or a module has the name already."""
        for component, owner in installed_registry():
            if (component.kind, component.name) == (kind, self.component):
                raise self.fault(f"is the name of a {kind} already, of {owner}")
        names = [distribution.name for distribution in distributions() if distribution.name]
        packages = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
        if self.distribution in packages:
            raise self.fault(f"a package '{self.distribution}' is installed already")
        if find_spec(self.module):
            raise self.fault(f"a module '{self.module}' is installed already")

    def check_code(self, code: str) -> None:
        """Raise RequestError where code gives the class's name to something else too."""
        if list(_given_names(code)).count(self.class_name) > 1:
            raise self.fault(f"would make a class '{self.class_name}', which its code has already")

    def fault(self, message: str) -> RequestError:
        """Return an error about the name."""
        return RequestError.about(self.component, f"{message}; choose another name")


def _given_names(code: str) -> Iterator[str]:
    """Yield every name that code imports, or gives to a class."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name.asname or name.name for name in node.names)
        elif isinstance(node, ast.ClassDef):
            yield node.name


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
    kind, naming = kind_called(kind, KINDS), PluginNames.of(name)
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


def package(naming: PluginNames, kind: str) -> dict[str, str]:
    """Return the files of a package: each one's text by its place."""
    words = {
        "component": naming.component,
        "distribution": naming.distribution,
        "module": naming.module,
        "klass": naming.class_name,
        "kind": kind,
        "words": _words(kind),
        "version": __version__,
    }
    words["use"] = _fill(f"{kind}/use.md", words).rstrip()
    return {
        Template(place).substitute(words): _fill(Template(source).substitute(words), words)
        for place, source in FILES.items()
    }


def _words(kind: str) -> str:
    """Return a kind as prose has it."""
    return kind.replace("_", " ")


def _fill(template: str, words: dict[str, str]) -> str:
    """Return a template with its words filled in."""
    text = (TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
    return Template(text).substitute(words)
