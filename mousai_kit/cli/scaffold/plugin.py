"""A new plug-in: a package with components, their tests, recipes that use them, their names."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from itertools import chain
from keyword import iskeyword
from pathlib import Path
from shlex import quote
from string import Template

from mousai_kit import __version__
from mousai_kit.cli.scaffold.plugin_folder import HOOK, WIDEST, PluginFolder, add_to_hook, alias_of
from mousai_kit.cli.scaffold.writing import add_files, write_folder
from mousai_kit.core.component import NAME
from mousai_kit.core.errors import RequestError, did_you_mean, join_quoted
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import kind_called

PREFIX = "mousai-kit-"
"""How packages of plug-ins begin, so that a search finds them beside each other."""
LONGEST = 27
"""Characters of a name at most, so that lines of code with it stay short."""


@dataclass(frozen=True, slots=True)
class PluginNames:
    """The names of a component, and of a plug-in that is made for it: they follow from one."""

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

    def check_component(self, kind: str) -> None:
        """Raise RequestError where an installed component has the name already."""
        for component, owner in installed_registry():
            if (component.kind, component.name) == (kind, self.component):
                raise self.fault(f"is the name of a {kind} already, of {owner}")

    def check_package(self) -> None:
        """Raise RequestError where an installed package or module has the name already."""
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
PACKAGE = {
    "pyproject.toml": "package/pyproject.toml",
    "README.md": "package/README.md",
    ".gitignore": "package/gitignore",
    "src/$module/__init__.py": "package/__init__.py",
    "src/$module/py.typed": "package/py.typed",
}
"""Each file that a package has once, and its template."""
COMPONENT = {
    "$recipe.yaml": "$kind/recipe.yaml",
    "$source/$file.py": "$kind/component.py",
    "tests/test_$file.py": "$kind/test.py",
}
"""Each file that a package has for a component, and its template."""
FILES = PACKAGE | COMPONENT


def new_plugin(name: str, kind: str, into: Path | None = None) -> list[str]:
    """Write a package that offers a component of each of some kinds; return what to tell the user.

    `kind` names them, with a comma between two. A plug-in's folder that is named by `into` is
    added to. RequestError, and nothing written, where a name is bad or taken, a kind is unknown, or
    the folder (by default the package's name, here) is not empty or can't be written.
    """
    kinds = [*dict.fromkeys(kind_called(word.strip(), KINDS) for word in kind.split(","))]
    naming = PluginNames.of(name)
    for its_kind in kinds:
        naming.check_component(its_kind)
    if into is not None and (package := PluginFolder.find(into)):
        return _add(package, naming, kinds)
    naming.check_package()
    target = into or Path(naming.distribution)
    if into is None and PluginFolder.find(target):
        told = f"is a plug-in already; `--into {quote(str(target))}` adds to it"
        raise RequestError.about(target, told)
    parts, files = new_package(naming, kinds)
    write_folder(files, target)
    first = parts[0]
    return [
        f"{target}: {_describe_parts(parts)}, ready to be installed",
        "",
        *_next(target, parts),
        "",
        f"Yours to edit: {first.place}, where your own method goes. With it go the",
        f"tests of the template's method, marked so in {first.test}; the contract stays.",
    ]


@dataclass(frozen=True, slots=True)
class ScaffoldPart:
    """A component of a package: its kind, and the names of its files."""

    naming: PluginNames
    kind: str
    distribution: str
    module: str
    source: str
    """Folder of the package's code, within its folder."""
    file: str
    recipe: str

    @classmethod
    def of(
        cls,
        naming: PluginNames,
        kind: str,
        distribution: str,
        module: str,
        source: str,
        taken: Callable[[str], bool],
    ) -> ScaffoldPart:
        """Return a part whose files are not `taken` yet; RequestError where all names are."""
        files = [kind, naming.component.replace("-", "_")]
        places = {file: (f"{source}/{file}.py", f"tests/test_{file}.py") for file in files}
        recipes = [naming.component, f"{naming.component}-{kind.replace('_', '-')}"]
        file = next((file for file in files if not any(map(taken, places[file]))), None)
        recipe = next((name for name in recipes if not taken(f"{name}.yaml")), None)
        if file is None or recipe is None:
            names = (
                chain(*places.values()) if file is None else (f"{name}.yaml" for name in recipes)
            )
            there = join_quoted(filter(taken, names))
            raise naming.fault(f"would be written to what is there already, {there}")
        return cls(naming, kind, distribution, module, source, file, recipe)

    @property
    def place(self) -> str:
        """Where its code is, within the package's folder."""
        return f"{self.source}/{self.file}.py"

    @property
    def test(self) -> str:
        """Where its tests are."""
        return f"tests/test_{self.file}.py"

    @property
    def words(self) -> dict[str, str]:
        """What templates say of it."""
        return {
            "component": self.naming.component,
            "distribution": self.distribution,
            "module": self.module,
            "klass": self.naming.class_name,
            "kind": self.kind,
            "source": self.source,
            "file": self.file,
            "recipe": self.recipe,
        }

    def add_to(self, code: str) -> str | None:
        """Return a hook's code that returns it as well; None where that is not safe."""
        module, klass = f"{self.module}.{self.file}", self.naming.class_name
        return add_to_hook(code, module=module, klass=klass, kind=self.kind)

    def files(self) -> dict[str, str]:
        """Return its files' texts by place; RequestError where code would not be sound."""
        found = {
            Template(place).substitute(self.words): _fill(source, self.words)
            for place, source in COMPONENT.items()
        }
        for place, text in found.items():
            if place.endswith(".py"):
                self.naming.check_code(text)
                if max(map(len, text.splitlines())) > WIDEST:
                    raise self.naming.fault("is too long beside the package's name")
        return found


def new_package(
    naming: PluginNames, kinds: Sequence[str]
) -> tuple[list[ScaffoldPart], dict[str, str]]:
    """Return the components of a new package, and its files: each one's text by its place."""
    parts: list[ScaffoldPart] = []
    files: dict[str, str] = {}
    source = f"src/{naming.module}"
    for kind in kinds:
        taken = files.__contains__
        part = ScaffoldPart.of(naming, kind, naming.distribution, naming.module, source, taken)
        files |= part.files()
        parts.append(part)
    words = parts[0].words | {
        "words": _words(parts[0].kind) if len(parts) == 1 else "set of components",
        "version": __version__,
        "shows": "\n".join(f"mousai-kit show {part.kind}/{naming.component}" for part in parts),
        "use": "\n\n".join(_fill("$kind/use.md", part.words).rstrip() for part in parts),
        "sources": ", ".join(f"`{part.place}`" for part in parts),
        "tests": ", ".join(f"`{part.test}`" for part in parts),
        "recipes": ", ".join(f"`{part.recipe}.yaml`" for part in parts),
    }
    for place, template in PACKAGE.items():
        files[Template(place).substitute(words)] = _fill(template, words)
    for part in parts[1:]:
        hooked = part.add_to(files[f"{source}/__init__.py"])
        assert hooked is not None
        files[f"{source}/__init__.py"] = hooked
    return parts, files


def _add(package: PluginFolder, naming: PluginNames, kinds: Sequence[str]) -> list[str]:
    """Add components to a package that is there; return what to tell the user."""
    parts: list[ScaffoldPart] = []
    files: dict[str, str] = {}
    code: str | None = package.hook_code()
    by_hand: list[str] = []
    for kind in kinds:
        if place := package.place_of(naming.component, kind):
            raise naming.fault(f"is the name of a {kind} already, in {place}")
        taken = _either(files, package)
        names = package.distribution, package.module, package.source
        part = ScaffoldPart.of(naming, kind, *names, taken)
        files |= part.files()
        parts.append(part)
        hooked = None if code is None else part.add_to(code)
        if hooked is None:
            alias = f" as {alias_of(naming.class_name, kind)}" if len(kinds) > 1 else ""
            by_hand += [f"  from {part.module}.{part.file} import {naming.class_name}{alias}"]
        else:
            code = hooked
    changed = {} if code is None or len(by_hand) == len(parts) else {package.hook: code}
    add_files(files, changed, package.folder)
    told = [f"  {place}" for place in files]
    told += [f"  {place} (what its hook returns)" for place in changed]
    if by_hand:
        where = f"to {package.hook}, into the list that its hook `{HOOK}` returns"
        told += ["", f"Add by hand {where}:", *by_hand]
    title = f"{package.folder}: {_describe_parts(parts)}, added to {package.distribution}:"
    return [title, *told, "", *_next(package.folder, parts)]


def _either(files: Mapping[str, str], package: PluginFolder) -> Callable[[str], bool]:
    """Return what tells whether a place is taken, by new files or by what is there."""
    return lambda place: place in files or package.has(place)


def _describe_parts(parts: Sequence[ScaffoldPart]) -> str:
    """Return what components are, in words."""
    name = parts[0].naming.component
    return " and ".join(f"the {_words(part.kind)} '{name}'" for part in parts)


def _next(folder: Path, parts: Sequence[ScaffoldPart]) -> list[str]:
    """Return the commands that try a package."""
    return [
        "Try next:",
        f"  cd {quote(str(folder))}",
        "  pip install -e '.[test]' && python -m pytest",
        *(f"  mousai-kit run {part.recipe}.yaml" for part in parts),
    ]


def _words(kind: str) -> str:
    """Return a kind as prose has it."""
    return kind.replace("_", " ")


def _fill(template: str, words: dict[str, str]) -> str:
    """Return a template, named by words too, with its words filled in."""
    file = TEMPLATES / f"{Template(template).substitute(words)}.template"
    return Template(file.read_text(encoding="utf-8")).substitute(words)
