"""Conditions: what generation is given besides text, from plain values to what stages are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError, create_model

from mousai_kit.audio.io import file_digest
from mousai_kit.core.component import Options, PathOption, to_plain_dict
from mousai_kit.core.errors import Argument, AudioError, Problem, RequestError, format_path, suggest
from mousai_kit.core.interfaces import Stage
from mousai_kit.core.validation import flatten_errors, is_options_class
from mousai_kit.models.conditioning import CONDITION


def conditions_type(stages: Mapping[str, Stage]) -> type[Options] | None:
    """Return what all stages may be given, options by name; None where that is nothing.

    ValueError, with the lower stage's name and the option's, where two stages share one.
    """
    fields: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for stage, part in stages.items():
        found = part.extras_type
        for name, field in found.model_fields.items() if found else ():
            if name in owners:
                raise ValueError(f"'{name}' is a condition of '{owners[name]}', too; rename one")
            owners[name], fields[name] = stage, (field.annotation, field)
    if not fields:
        return None
    made: type[Options] = create_model("Conditions", __base__=Options, **fields)
    return made


def parse_conditions(known: type[Options] | None, given: Mapping[str, Any]) -> Options:
    """Return what is given by name, each as a mapping, or as `expand_short_value` takes it.

    RequestError, a line for each that is wrong, or is none of those `known`.
    """
    names = {} if known is None else known.model_fields
    faults = [_unknown(name, list(names)) for name in given if name not in names]
    if faults or known is None:
        if faults:
            raise RequestError(*faults)
        return Options()
    try:
        values = {
            name: expand_short_value(value_type(known, name), value)
            for name, value in given.items()
        }
        return known.model_validate(values)
    except ValidationError as error:
        problems = flatten_errors(error, known)
    raise RequestError(
        *(
            Problem(Argument(CONDITION, str(place[0])), format_path(place[1:]), told)
            for place, told in problems
        )
    )


def value_type(known: type[Options], name: str) -> type[Options]:
    """Return the options that a condition's value has."""
    annotation = known.model_fields[name].annotation
    found = [kind for kind in (annotation, *get_args(annotation)) if is_options_class(kind)]
    assert issubclass(found[0], Options)
    return found[0]


def expand_short_value(kind: type[Options], value: Any) -> Any:
    """Return a short form of a value as options by name; what is none, as it is.

    A number or a text is the first option, numbers in a list, or in a text with commas, are all in
    order: `0,180`.
    """
    names = list(kind.model_fields)
    if isinstance(value, str) and names and not _takes_text(kind, names[0]):
        value = [_number(part) for part in value.split(",")]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple) or not names:
        return value
    further = {f"value {place + 1}": item for place, item in enumerate(value)}
    keys = [*names, *list(further)[len(names) :]]
    return dict(zip(keys, value, strict=False))


def condition_tags(values: Options) -> dict[str, str]:
    """Return a tag for each condition that is given: its values, files by name and content.

    RequestError where a file can't be read.
    """
    given = ((name, getattr(values, name)) for name in type(values).model_fields)
    return {
        f"{CONDITION}.{name}": ",".join(_value_texts(name, value)) for name, value in given if value
    }


def _value_texts(name: str, value: Options) -> Iterator[str]:
    """Yield a condition's values as text, in order; those that are null left out."""
    plain = to_plain_dict(value)
    for option, field in type(value).model_fields.items():
        said = plain[option]
        if said is None:
            continue
        marks = [*field.metadata, *_parts(field.annotation)]
        if any(isinstance(item, PathOption) for item in marks):
            yield _identify_file(name, Path(said).expanduser())
        else:
            yield f"{said:g}" if isinstance(said, float) else str(said)


def _identify_file(name: str, path: Path) -> str:
    """Return a file's name and what stands for its content."""
    try:
        return f"{path.name} {file_digest(path)}"
    except AudioError as error:
        raise RequestError(Problem(Argument(CONDITION, name), "", str(error))) from None


def _unknown(name: str, known: Sequence[str]) -> Problem:
    """Return what is wrong with a condition that no stage takes."""
    told = "this system takes no conditions; leave it out"
    if known:
        told = f"this system has no such condition{suggest(name, known)}"
    return Problem(Argument(CONDITION, name), "", told)


def _takes_text(kind: type[Options], name: str) -> bool:
    """Return whether an option may be text."""
    parts = _parts(kind.model_fields[name].annotation)
    return any(item is str or isinstance(item, str) for item in parts)


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and all that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _number(text: str) -> Any:
    """Return the number that a text is; the text where it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()
