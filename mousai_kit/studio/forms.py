"""Forms: fields for a component's Options, and what a filled form changes of a recipe."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mousai_kit.core.component import Options, Use, to_plain_dict
from mousai_kit.core.interfaces import Controls
from mousai_kit.core.option_docs import describe_options
from mousai_kit.core.registry import Registry
from mousai_kit.recipe import Recipe, teacher_or_model
from mousai_kit.studio.systems import GUIDANCE

FieldKind = Literal["number", "whole", "switch", "choice", "text"]
GENERATE = "generate"
"""The place of how a recipe guides: a form as a sampler's is."""


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: an option, what may be said of it, and what stands there."""

    name: str
    kind: FieldKind
    value: Any
    info: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartForm:
    """A slot of a recipe: which components it may hold, which it holds, and that one's options."""

    place: str
    kind: str
    components: tuple[str, ...]
    chosen: str
    fields: tuple[FormField, ...]


def part_form(
    recipe: Recipe, place: str, registry: Registry, chosen: str | None = None
) -> PartForm:
    """Return the form of a place in a recipe, or of another component there, with its defaults."""
    if place == GENERATE:
        return PartForm(place, "guidance", (), "", tuple(_guidance_fields(recipe)))
    use = find_slot(recipe, place)
    kind = use.component.kind
    chosen = chosen or use.component.name
    component = registry.find(kind, chosen)
    values = to_plain_dict(use.options) if component is use.component else {}
    fields = option_fields(component.Options, registry, values)
    return PartForm(place, kind, tuple(registry.names(kind)), chosen, tuple(fields))


def find_slot(recipe: Recipe, place: str) -> Use[Any]:
    """Return what stands at a place such as `stages.generator.model.sampler`."""
    value: Any = recipe
    for key in place.split("."):
        if isinstance(value, Use):
            value = teacher_or_model(value).options
        value = value[key] if isinstance(value, Mapping) else getattr(value, key)
    assert isinstance(value, Use)
    return value


def option_fields(
    model: type[BaseModel], registry: Registry, values: Mapping[str, Any] | None = None
) -> list[FormField]:
    """Return a field for each option, with its value or else its default."""
    facts = {fact["name"]: fact for fact in describe_options(model)}
    fields = []
    for name, option in model.model_fields.items():
        value = (values or {}).get(name, PydanticUndefined)
        if value is PydanticUndefined:
            value = option.get_default(call_default_factory=True, validated_data={})
        told = [facts[name]["range"], facts[name]["description"]]
        info = "; ".join(part for part in told if part)
        fields.append(_field(name, option.annotation, value, info, registry))
    return fields


def form_changes(form: PartForm, recipe: Recipe, values: Sequence[Any]) -> list[str]:
    """Return what a filled form changes of a recipe, as `--set` takes it.

    Values stand as they were given: what is wrong with one, the recipe's checks tell.
    """
    changes = []
    if form.place != GENERATE and find_slot(recipe, form.place).component.name != form.chosen:
        changes.append(f"{form.place}.use={form.chosen}")
    for field, value in zip(form.fields, values, strict=True):
        if value != field.value and not (value in ("", None) and field.value in ("", None)):
            changes.append(f"{form.place}.{field.name}={_as_yaml(value)}")
    if changes and form.place != GENERATE:
        stage = form.place.split(".")[1]
        if recipe.stages[stage].model is not teacher_or_model(recipe.stages[stage].model):
            changes.append(f"stages.{stage}.distil.played=full")  # else it would not be heard
    return changes


def _guidance_fields(recipe: Recipe) -> list[FormField]:
    """Return fields for how a recipe guides."""
    facts = {fact["name"]: fact for fact in describe_options(type(recipe.generate))}
    facts |= {f"controls.{fact['name']}": fact for fact in describe_options(Controls)}
    controls = recipe.generate.controls
    found: dict[str, tuple[FieldKind, Any, tuple[str, ...]]] = {
        "guidance": ("number", recipe.generate.guidance, ()),
        "controls.guidance_schedule": (
            "choice",
            controls.guidance_schedule,
            get_args(Controls.model_fields["guidance_schedule"].annotation),
        ),
        "controls.guidance_rescale": ("number", controls.guidance_rescale, ()),
    }
    return [
        FormField(name, found[name][0], found[name][1], facts[name]["description"], found[name][2])
        for name in GUIDANCE
    ]


def _field(name: str, annotation: Any, value: Any, info: str, registry: Registry) -> FormField:
    """Return the field of an option, by its type."""
    kind, optional = _plain_type(annotation)
    plain = value.component.name if isinstance(value, Use) else value
    if isinstance(plain, Mapping):
        plain = plain["use"] if set(plain) == {"use"} else json.dumps(plain)
    if get_origin(kind) is Use:
        names = (*registry.names(get_args(kind)[0].kind), *(("null",) if optional else ()))
        if (chosen := "null" if plain is None else plain) in names:
            return FormField(name, "choice", chosen, info, names)
    elif get_origin(kind) is Literal:
        return FormField(name, "choice", plain, info, tuple(map(str, get_args(kind))))
    elif kind is bool:
        return FormField(name, "switch", bool(plain), info)
    elif kind in (int, float) and plain is not None and not optional:
        return FormField(name, "whole" if kind is int else "number", plain, info)
    return FormField(name, "text", _as_yaml(plain), info)


def _plain_type(annotation: Any) -> tuple[Any, bool]:
    """Return a type without None and without what annotates it, and whether None is allowed."""
    if get_origin(annotation) is typing.Annotated:
        return _plain_type(get_args(annotation)[0])
    if get_origin(annotation) in (types.UnionType, typing.Union):
        others = [item for item in get_args(annotation) if item is not type(None)]
        if len(others) == 1:
            return _plain_type(others[0])[0], True
        return None, True
    return annotation, False


def _as_yaml(value: Any) -> str:
    """Return a value as YAML on one line has it; text as it is."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is PydanticUndefined:
        return ""
    if isinstance(value, Options):
        value = to_plain_dict(value)
    return value if isinstance(value, str) else json.dumps(value)
