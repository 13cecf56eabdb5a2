"""What an interface annotates without a value: components must set it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mousai_kit.errors import rule, shown


def class_faults(kind: type, component: type) -> Iterator[str]:
    """Yield what is wrong with the class attributes that a component of the kind has to set."""
    for name, annotation in _declared(kind, on_class=True):
        value = inspect.getattr_static(component, name, None)
        if not hasattr(component, name):
            told = f"lacks the class attribute '{name}', which every {_called(kind)} has"
            yield f"{told}; write `{name} = ...` in it"
        elif not isinstance(value, property) and (broken := _broken(annotation, value)):
            yield f"has a class attribute '{name}' that {broken} (got {shown(value)})"


def unset(built: object) -> Iterator[str]:
    """Yield the attributes that a component's constructor had to set and did not."""
    component = type(built)
    kind = next((it for it in reversed(component.__mro__) if "kind" in vars(it)), component)
    for name, _ in _declared(kind, on_class=False):
        # what the class has, a property say, may not be there before training
        if not (hasattr(component, name) or hasattr(built, name)):
            yield name


def _declared(kind: type, *, on_class: bool) -> Iterator[tuple[str, Any]]:
    """Yield (name, annotation) of attributes that have no value in the interface itself."""
    for name, annotation in inspect.get_annotations(kind, eval_str=True).items():
        origin: object = get_origin(annotation)
        of_class = origin is ClassVar
        if of_class == on_class and name not in vars(kind):
            yield name, get_args(annotation)[0] if of_class else annotation


def _broken(annotation: Any, value: object) -> str:
    """Return the rule that a value breaks; empty where it breaks none."""
    try:
        TypeAdapter(annotation, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        return rule(mistake["type"], mistake.get("ctx", {})) or f"must be {annotation}"
    return ""


def _called(kind: type) -> str:
    return str(getattr(kind, "kind", kind.__name__))
