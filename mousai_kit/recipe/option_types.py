"""Option types: how an option is annotated that stands at a place of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from mousai_kit.core.component import ComponentLookup, Field, Options, PathOption, Use
from mousai_kit.core.validation import is_options_class
from mousai_kit.recipe.nodes import KeyPath, Node


def optional_section(description: str) -> Any:
    """Return a field of options that may be left out: each of them has a default."""
    return Field(default_factory=dict, description=description)


def option_type(
    tree: Node | None, place: KeyPath, annotation: Any, registry: ComponentLookup
) -> Any:
    """Return the annotation of what is at a place in a tree so annotated; None where unknown."""
    for key in place:
        annotation = _type_inside(annotation, key, tree, registry)
        tree = _child(tree, key)
    return annotation


def alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the forms that a value may have by its annotation."""
    if get_origin(annotation) is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (UnionType, Union):
        for arg in get_args(annotation):
            yield from alternatives(arg)
    else:
        yield annotation


def is_text(annotation: Any) -> bool:
    """Tell whether a value so annotated is any text, or perhaps nothing, or options instead."""
    forms = set(alternatives(annotation))
    others = {form for form in forms - {str, NoneType} if not is_options_class(form)}
    return str in forms and not others


def may_be_options(annotation: Any) -> bool:
    """Tell whether a value so annotated may be a mapping of options."""
    return any(is_options_class(form) for form in alternatives(annotation))


def field_type(field: FieldInfo) -> Any:
    """Return how an option is annotated, marks and all."""
    return Annotated[field.annotation, *field.metadata, None]


def path_option(annotation: Any) -> PathOption | None:
    """Return what marks a value so annotated as a path; None where nothing does."""
    for arg in get_args(annotation):
        if found := arg if isinstance(arg, PathOption) else path_option(arg):
            return found
    return None


def _type_inside(
    annotation: Any, key: str | int, tree: Node | None, registry: ComponentLookup
) -> Any:
    """Return the annotation of what has a key in a value so annotated, of which the tree tells."""
    for form in alternatives(annotation):
        origin, inner = get_origin(form), get_args(form)
        if origin in (list, dict):
            return inner[-1]
        model = _options_class(inner[0].kind, tree, registry) if origin is Use else form
        if isinstance(model, type) and issubclass(model, Options):
            field = model.model_fields.get(model.former_names.get(str(key), str(key)))
            return field and field_type(field)
    return None


def _options_class(kind: str, tree: Node | None, registry: ComponentLookup) -> Any:
    """Return the options of the component that a slot holds; None where there is none such."""
    name = tree if tree is None or isinstance(tree.value, str) else _child(tree, "use")
    try:
        return registry.find(kind, str(name.value)).Options if name else None
    except LookupError:
        return None


def _child(tree: Node | None, key: str | int) -> Node | None:
    value = tree.value if tree else None
    if isinstance(value, dict):
        return value.get(key)
    listed = isinstance(value, list) and str(key).isdecimal() and int(key) < len(value)
    return value[int(key)] if isinstance(value, list) and listed else None
