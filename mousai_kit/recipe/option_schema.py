"""JSON Schema of options, in draft 7: the one that all editors read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from mousai_kit.component import SLOT

Schema = dict[str, Any]

PLACE = "#/definitions/"
"""Where a schema's definitions are."""


def options_schema(model: type[BaseModel], name: str) -> dict[str, Schema]:
    """Return the definition of a model as `name`, and those of models in it as `name.<model>`."""
    schema = model.model_json_schema(
        ref_template=f"{PLACE}{name}.{{model}}", schema_generator=_Draft7
    )
    inner = schema.pop("$defs", {})
    return {
        name: _cleaned(schema),
        **{f"{name}.{key}": _cleaned(inner[key]) for key in sorted(inner)},
    }


def mapped(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
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


def _cleaned(schema: Schema) -> Schema:
    """Return a schema without titles, slots as their kind's definition, references by themselves.

    A reference hides what stands beside it in draft 7.
    """
    kept = {key: value for key, value in mapped(schema, _cleaned).items() if key != "title"}
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

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Set none: a title says what the name says already."""
        return False

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        """Return a default, that of `chosen` too."""
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
