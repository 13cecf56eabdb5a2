"""Where a recipe breaks its JSON Schema, in the words of the loader: dotted places."""

from __future__ import annotations

from collections.abc import Iterator

from jsonschema import Draft7Validator, ValidationError


def places(validator: Draft7Validator, recipe: object) -> set[str]:
    """Return the place of each mistake; a component's name stands for its `use`."""
    found = (leaf for error in validator.iter_errors(recipe) for leaf in _leaves(error))
    return {named(".".join(map(str, place))) for place in found}


def named(place: str) -> str:
    """Return a place where a component's bare name and its `use` are one."""
    return place.removesuffix(".use")


def _leaves(error: ValidationError) -> Iterator[list[str | int]]:
    """Yield the places of what is really wrong: of alternatives, in the one that was meant."""
    meant = [it for it in error.context or () if it.validator != "type" or it.relative_path]
    if meant:
        for inner in meant:
            yield from _leaves(inner)
        return
    here = list(error.absolute_path)
    match error.validator:
        case "required":
            yield from ([*here, key] for key in error.validator_value if key not in error.instance)
        case "additionalProperties":
            known = error.schema["properties"]
            yield from ([*here, key] for key in error.instance if key not in known)
        case _ if "propertyNames" in error.absolute_schema_path:
            yield [*here, error.instance]
        case _:
            yield here
