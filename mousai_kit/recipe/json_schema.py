"""The JSON Schema of recipes, made from all components of a registry: editors check with it.

A recipe that extends another one may leave out what the other says. So there are two definitions of
everything: of the whole, and (`.changed`) of a change of it, in which nothing is required; what is
the same in both is told in the first, to which the second refers.

In draft 7: the one that all editors read. `python -m mousai_kit.recipe.json_schema` prints the
schema of mousai-kit's own components, which lies beside the shipped recipes.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from mousai_kit.core.component import SLOT, Component
from mousai_kit.core.errors import RequestError
from mousai_kit.core.files import write_bytes
from mousai_kit.core.plugins import first_party, installed_registry
from mousai_kit.core.registry import Registry
from mousai_kit.recipe.schema import Recipe
from mousai_kit.recipe.shipped import shipped_recipes

Schema = dict[str, Any]
Definitions = Mapping[str, Schema]

PLACE = "#/definitions/"
"""Where a schema's definitions are."""


def options_schema(model: type[BaseModel], name: str) -> dict[str, Schema]:
    """Return the definition of a model as `name`, and those of models in it as `name.<model>`."""
    schema = model.model_json_schema(
        ref_template=f"{PLACE}{name}.{{model}}", schema_generator=_Draft7
    )
    inner = schema.pop("$defs", {})
    return {name: _clean(schema)} | {f"{name}.{key}": _clean(inner[key]) for key in sorted(inner)}


def map_schemas(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Return a schema with a change made to each of the schemas that lie directly in it."""

    def inside(key: str, value: Any) -> Any:
        match key, value:
            case "default" | "const" | "enum" | "required", _:
                return value
            case "properties" | "definitions", dict():
                return {name: change(item) for name, item in value.items()}
            case _, dict():
                return change(value)
            case _, [dict(), *_]:
                return [change(item) for item in value]
            case _:
                return value

    return {key: inside(key, value) for key, value in schema.items()}


def _clean(schema: Schema) -> Schema:
    """Return a schema without titles, slots as their kind's definition, references by themselves.

    A reference hides what stands beside it in draft 7.
    """
    kept = {key: value for key, value in map_schemas(schema, _clean).items() if key != "title"}
    if kind := kept.pop(SLOT, None):
        kept["$ref"] = PLACE + kind
    if "$ref" in kept and len(kept) > 1:
        return {"allOf": [{"$ref": kept.pop("$ref")}], **kept}
    return kept


class _Draft7(GenerateJsonSchema):
    """pydantic's own, with defaults that are made and null among a value's types."""

    ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012 (pydantic's)

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Allow anything where a plug-in checks in a way that no schema can tell."""
        return {}

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        """Return a default, that of `default` too."""
        factory = schema.get("default_factory")
        if factory is None or schema.get("default_factory_takes_data"):
            return super().get_default_value(schema)
        return factory()  # type: ignore[call-arg]

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return `type: [number, null]` where that says it, else one of both."""
        inner = self.generate_inner(schema["schema"])
        if not isinstance(inner.get("type"), str) or SLOT in inner or "const" in inner:
            return self.get_union_of_schemas([inner, {"type": "null"}])
        words = {"enum": [*inner["enum"], None]} if "enum" in inner else {}
        return {**inner, **words, "type": [inner["type"], "null"]}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Return a mapping whose names are all held to their form."""
        found = super().dict_schema(schema)
        if "patternProperties" not in found:
            return found
        ((_, values),) = found.pop("patternProperties").items()
        names = self.generate_inner(schema["keys_schema"])
        return {**found, "additionalProperties": values, "propertyNames": names}


COMMENT = "Written by `mousai-kit schema` from the components that are installed."
"""By which a schema of ours is known."""
CHANGED, NAMES = ".changed", ".names"
"""How the names of the definitions of a change, and of a kind's names, end."""
EXTENDS: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "a recipe beside this one, or a shipped one, that this one changes",
}


def json_schema(registry: Registry) -> Schema:
    """Return the JSON Schema (draft 7) of recipes made of a registry's components."""
    definitions = _definitions(registry.kinds, [component for component, _ in registry])
    extends = {**EXTENDS, "examples": [f"{name}.yaml" for name in shipped_recipes()]}
    definitions[f"recipe{CHANGED}"]["properties"]["extends"] = extends
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": COMMENT,
        "type": "object",
        "properties": {"extends": extends},
        "if": {"required": ["extends"]},
        "then": {"$ref": f"{PLACE}recipe{CHANGED}"},
        "else": {"$ref": f"{PLACE}recipe"},
        "definitions": definitions,
    }


def _definitions(kinds: Iterable[str], components: Sequence[type[Component]]) -> dict[str, Schema]:
    """Return the definitions of a recipe, of every component, and of a slot for each kind."""
    whole = options_schema(Recipe, "recipe")
    for component in components:
        whole |= _component(component)
    changes = {name: _change_definition(schema) for name, schema in whole.items()}
    definitions = whole | {f"{name}{CHANGED}": _referring(name, whole, changes) for name in whole}
    for kind in kinds:
        found = [component for component in components if component.kind == kind]
        definitions[f"{kind}{NAMES}"] = _names(found)
        definitions[kind] = _slot(kind, found)
        definitions[f"{kind}{CHANGED}"] = _changed_slot(kind, found, whole, changes)
    return dict(sorted(definitions.items()))


def _referring(name: str, whole: Definitions, changes: Definitions) -> Schema:
    """Return a change's definition, with a reference to all that is as in the whole."""
    change, known = changes[name], whole[name].get("properties", {})
    if change == whole[name]:
        return {"$ref": PLACE + name}
    properties = {
        key: {"$ref": _place(name, key)} if option == known[key] else option
        for key, option in change.get("properties", {}).items()
    }
    return {**change, "properties": properties} if properties else change


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
    }
    return definitions


def _slot(kind: str, components: Sequence[type[Component]]) -> Schema:
    """Return what a slot takes: a name alone where no option is required, or a mapping."""
    bare = [component for component in components if not any(_requirements(component))]
    names = {"$ref": f"{PLACE}{kind}{NAMES}"} if bare == components else _names(bare)
    return _name_or_mapping(names, [_use(kind, required=["use"]), *_choices(components, "")])


def _changed_slot(
    kind: str, components: Sequence[type[Component]], whole: Definitions, changes: Definitions
) -> Schema:
    """Return what changes a slot: also options alone, of whichever component the base has."""
    places: dict[str, list[tuple[Schema, str]]] = {}
    for name in map(_name, components):
        for key, option in changes[name]["properties"].items():
            same = option == whole[name]["properties"][key]
            place = _place(name if same else f"{name}{CHANGED}", key)
            places.setdefault(key, []).append((option, place))
    places.pop("use", None)  # a kind of which nothing is installed has none
    unnamed = {
        "if": {"not": {"required": ["use"]}},
        "then": {
            "properties": {key: _either(places[key]) for key in sorted(places)},
            "additionalProperties": False,
        },
    }
    names = {"$ref": f"{PLACE}{kind}{NAMES}"}
    return _name_or_mapping(names, [_use(kind), unnamed, *_choices(components, CHANGED)])


def _use(kind: str, **rules: list[str]) -> Schema:
    """Return the rule that a mapping's `use` is a name of a kind."""
    return {**rules, "properties": {"use": {"$ref": f"{PLACE}{kind}{NAMES}"}}}


def _name_or_mapping(names: Schema, rules: Sequence[Schema]) -> Schema:
    """Return what is one of some names, or a mapping that keeps to all rules.

    Editors complete from `anyOf`, and tell what is wrong best from `if` and `then`.
    """
    return {
        "anyOf": [names, {"type": "object"}],
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
        "enumDescriptions": [(inspect.getdoc(item) or "").split("\n", 1)[0] for item in components],
    }


def _change_definition(schema: Schema) -> Schema:
    """Return the definition of a change: nothing is required, but in a list, which replaces."""
    if "$ref" in schema:
        return {"$ref": f"{schema['$ref']}{CHANGED}"}
    kept = {key: value for key, value in schema.items() if key not in ("required", "minProperties")}
    lists = {"items": kept["items"]} if "items" in kept else {}
    return {**map_schemas(kept, _change_definition), **lists}


def _either(options: Sequence[tuple[Schema, str]]) -> Schema:
    """Return what fits one of the options of one name that several components have, by place."""
    different: list[Schema] = []
    places = []
    for option, place in options:
        bare = {key: option[key] for key in option if key not in ("default", "description")}
        if bare not in different:
            different.append(bare)
            places.append({"$ref": place})
    return places[0] if len(places) == 1 else {"anyOf": places}


def _place(definition: str, option: str) -> str:
    """Return the reference to an option of a definition."""
    return f"{PLACE}{definition}/properties/{option}"


def _requirements(component: type[Component]) -> Iterator[bool]:
    return (field.is_required() for field in component.Options.model_fields.values())


def _name(component: type[Component]) -> str:
    return f"{component.kind}.{component.name}"


FILE = "mousai-kit.schema.json"
"""The schema's name, beside the recipes that point to it."""
POINTER = "# yaml-language-server: $schema="
"""How a comment begins that tells editors where a file's schema is."""


def add_schema_comment(recipe: Path) -> Path:
    """Let editors check a recipe: point to the schema in its first line, and write it beside.

    A recipe that points to some schema keeps doing so. The schema is that of all components that
    are installed; one that is there is replaced. Return its file.
    """
    text = recipe.read_text(encoding="utf-8")
    if POINTER not in text:
        recipe.write_text(f"{POINTER}{FILE}\n{text}", encoding="utf-8")
    return write_schema(recipe.with_name(FILE))


def write_schema(file: Path) -> Path:
    """Write the schema of all components that are installed, whole or not at all; return its file.

    RequestError where the name is taken by anything but such a schema.
    """
    check_schema(file)
    if not file.parent.is_dir():
        raise RequestError.about(file, f"can't be made: there is no folder '{file.parent}'")
    write_bytes(file, schema_text(installed_registry()).encode())
    return file


def check_schema(file: Path) -> None:
    """Raise RequestError where a schema would be written over something else."""
    if not (file.exists() or file.is_symlink()):
        return
    try:
        kept = None if file.is_symlink() else json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = None
    if not (isinstance(kept, dict) and kept.get("$comment") == COMMENT):
        told = "is there already and is no schema of mousai-kit's; move it, or name another file"
        raise RequestError.about(file, told)


def schema_text(registry: Registry) -> str:
    """Return the schema of recipes made of a registry's components, as JSON."""
    return json.dumps(json_schema(registry), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    print(schema_text(first_party()), end="")
