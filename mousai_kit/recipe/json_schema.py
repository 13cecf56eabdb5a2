"""The JSON Schema of recipes, made from all components of a registry: editors check with it.

A recipe that extends another one may leave out what the other says. So there are two definitions of
everything: of the whole, and (`.changed`) of a change of it, in which nothing is required.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from mousai_kit.component import Component
from mousai_kit.interfaces import KINDS
from mousai_kit.recipe.option_schema import PLACE, Schema, mapped, options_schema
from mousai_kit.recipe.schema import Recipe
from mousai_kit.recipe.shelf import shipped
from mousai_kit.registry import Registry

DIALECT = "http://json-schema.org/draft-07/schema#"
COMMENT = "Written by `mousai-kit schema` from the components that are installed."
"""By which a schema of ours is known."""
CHANGED = ".changed"
EXTENDS: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "a recipe beside this one, or a shipped one, that this one changes",
}


def json_schema(registry: Registry) -> Schema:
    """Return the JSON Schema (draft 7) of recipes made of a registry's components."""
    definitions = _definitions([component for component, _ in registry])
    extends = {**EXTENDS, "examples": [f"{name}.yaml" for name in shipped()]}
    definitions[f"recipe{CHANGED}"]["properties"]["extends"] = extends
    return {
        "$schema": DIALECT,
        "$comment": COMMENT,
        "type": "object",
        "properties": {"extends": extends},
        "if": {"required": ["extends"]},
        "then": {"$ref": f"{PLACE}recipe{CHANGED}"},
        "else": {"$ref": f"{PLACE}recipe"},
        "definitions": definitions,
    }


def _definitions(components: Sequence[type[Component]]) -> dict[str, Schema]:
    """Return the definitions of a recipe, of every component, and of a slot for each kind."""
    whole = options_schema(Recipe, "recipe")
    for component in components:
        whole |= _component(component)
    changed = {f"{name}{CHANGED}": _changed(schema) for name, schema in whole.items()}
    for kind in KINDS:
        found = [component for component in components if component.kind == kind]
        whole[kind] = _slot(found)
        changed[f"{kind}{CHANGED}"] = _changed_slot(found, changed)
    return dict(sorted({**whole, **changed}.items()))


def _component(component: type[Component]) -> dict[str, Schema]:
    """Return the definitions of `{use: <name>, <option>: <value>, ...}`."""
    name = _name(component)
    definitions = options_schema(component.Options, name)
    options = definitions[name]
    use = {"const": component.name, "description": f"which {component.kind}"}
    definitions[name] = {
        **options,
        "title": f"{component.kind}: {component.name}",
        "description": inspect.getdoc(component) or "",
        "properties": {"use": use, **options.get("properties", {})},
        "required": ["use", *options.get("required", [])],
    }
    return definitions


def _slot(components: Sequence[type[Component]]) -> Schema:
    """Return what a slot takes: a name alone where no option is required, or a mapping."""
    bare = [it for it in components if not any(_required(it))]
    use = {"required": ["use"], "properties": {"use": _names(components)}}
    return _name_or_mapping(bare, [use, *_choices(components, "")])


def _changed_slot(components: Sequence[type[Component]], changed: dict[str, Schema]) -> Schema:
    """Return what changes a slot: also options alone, of whichever component the base has."""
    every = [changed[f"{_name(it)}{CHANGED}"]["properties"] for it in components]
    names = sorted({name for options in every for name in options if name != "use"})
    options = {name: _either([it[name] for it in every if name in it]) for name in names}
    unnamed = {
        "if": {"not": {"required": ["use"]}},
        "then": {"properties": options, "additionalProperties": False},
    }
    use = {"properties": {"use": _names(components)}}
    return _name_or_mapping(components, [use, unnamed, *_choices(components, CHANGED)])


def _name_or_mapping(bare: Sequence[type[Component]], rules: Sequence[Schema]) -> Schema:
    """Return what is one of some names, or a mapping that keeps to all rules.

    Editors complete from `anyOf`, and tell what is wrong best from `if` and `then`.
    """
    return {
        "anyOf": [_names(bare), {"type": "object"}],
        "if": {"type": "object"},
        "then": {"allOf": rules},
    }


def _choices(components: Sequence[type[Component]], suffix: str) -> Iterator[Schema]:
    """Yield for each component: where it is named, the mapping must be one of its."""
    for component in components:
        named = {"required": ["use"], "properties": {"use": {"const": component.name}}}
        yield {"if": named, "then": {"$ref": f"{PLACE}{_name(component)}{suffix}"}}


def _names(components: Sequence[type[Component]]) -> Schema:
    """Return the choice of a name, with what each stands for."""
    return {
        "enum": [component.name for component in components],
        "enumDescriptions": [_summary(component) for component in components],
    }


def _changed(schema: Schema) -> Schema:
    """Return the definition of a change: nothing is required, but in a list, which replaces."""
    if "$ref" in schema:
        return {"$ref": f"{schema['$ref']}{CHANGED}"}
    kept = {key: it for key, it in schema.items() if key not in ("required", "minProperties")}
    lists = {"items": kept["items"]} if "items" in kept else {}
    return {**mapped(kept, _changed), **lists}


def _either(options: Sequence[Schema]) -> Schema:
    """Return what fits one of the options of one name that several components have."""
    bare = [{key: it[key] for key in it if key not in ("default", "description")} for it in options]
    different = [it for place, it in enumerate(bare) if it not in bare[:place]]
    said = {"description": options[0]["description"]} if "description" in options[0] else {}
    return {**said, **(different[0] if len(different) == 1 else {"anyOf": different})}


def _required(component: type[Component]) -> Iterator[bool]:
    return (field.is_required() for field in component.Options.model_fields.values())


def _name(component: type[Component]) -> str:
    return f"{component.kind}.{component.name}"


def _summary(component: type[Component]) -> Any:
    return (inspect.getdoc(component) or "").split("\n", 1)[0]
