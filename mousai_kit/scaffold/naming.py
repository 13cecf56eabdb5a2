"""Naming: what a new plug-in is called as a package, a module, a component and a class."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from keyword import iskeyword

from mousai_kit.errors import Problem, RequestError, did_you_mean
from mousai_kit.plugins import installed
from mousai_kit.registry import NAME

PREFIX = "mousai-kit-"
"""How packages of plug-ins begin, so that a search finds them beside each other."""
LONGEST = 27
"""Characters of a name at most, so that lines of code with it stay short."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of a plug-in that offers one component: all follow from the component's."""

    component: str
    """`slow-turn`"""

    @classmethod
    def of(cls, typed: str) -> Naming:
        """Return the names for what a user typed, with the prefix or without; RequestError."""
        naming = cls(typed.removeprefix(PREFIX))
        name, klass = naming.component, naming.klass
        if not (NAME.fullmatch(name) and name[0].isalpha()):
            slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
            rule = "must be lower-case words joined by '-', and begin with a letter"
            raise RequestError(
                Problem(typed or "''", "", rule + did_you_mean(name.lower(), filter(None, [slug])))
            )
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
    def klass(self) -> str:
        """`SlowTurn`."""
        return "".join(word.capitalize() for word in self.component.split("-"))

    def check_free(self, kind: str) -> None:
        """Raise RequestError where a component, a package or a module has the name already."""
        for component, owner in installed():
            if (component.kind, component.name) == (kind, self.component):
                raise self.fault(f"is the name of a {kind} already, of {owner}")
        packages = {re.sub(r"[-_.]+", "-", it.name).lower() for it in distributions() if it.name}
        if self.distribution in packages:
            raise self.fault(f"a package '{self.distribution}' is installed already")
        if find_spec(self.module):
            raise self.fault(f"a module '{self.module}' is installed already")

    def check_code(self, code: str) -> None:
        """Raise RequestError where code gives the class's name to something else too."""
        if list(_given(code)).count(self.klass) > 1:
            raise self.fault(f"would make a class '{self.klass}', which its code has already")

    def fault(self, message: str) -> RequestError:
        """Return an error about the name."""
        return RequestError(Problem(self.component, "", f"{message}; choose another name"))


def _given(code: str) -> Iterator[str]:
    """Yield every name that code imports, or gives to a class."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (it.asname or it.name for it in node.names)
        elif isinstance(node, ast.ClassDef):
            yield node.name
