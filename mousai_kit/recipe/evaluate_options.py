"""What a recipe says of what is measured: metrics, clips, and prompts to make them of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator

from mousai_kit.core.component import Field, Options, Use
from mousai_kit.core.errors import format_value
from mousai_kit.core.interfaces import Metric
from mousai_kit.core.validation import option_error


def _read_evaluation_prompts(value: Any) -> list[str] | dict[str, list[str]]:
    """Return the prompts of an evaluation: a list of texts, or such lists by genre."""
    if isinstance(value, list):
        return _check_texts(value)
    if not isinstance(value, Mapping):
        rule = "must be a list of texts, or such lists by genre"
        raise option_error(f"{rule} (got {format_value(value)})")
    for genre, texts in value.items():
        if not isinstance(genre, str) or not genre.strip():
            raise option_error(f"a genre must have a name (got {format_value(genre)})")
        if not isinstance(texts, list) or not texts:
            rule = "must be a list of one text or more"
            raise option_error(f"{rule} (got {format_value(texts)})", genre)
        _check_texts(texts, genre)
    return dict(value)


def _check_texts(texts: list[Any], *place: str) -> list[str]:
    """Return texts at a place; an error at the first that is none."""
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            told = f"must be text; put it in quotes (got {format_value(text)})"
            raise option_error(told, *place, index)
    return texts


_EvaluationPrompts = Annotated[
    list[str] | dict[str, list[str]],
    PlainValidator(
        _read_evaluation_prompts, json_schema_input_type=list[str] | dict[str, list[str]]
    ),
]


class Evaluate(Options):
    """What is measured after training."""

    metrics: list[Use[Metric]] = Field(
        [], description="measures of how near clips are to real ones, or to their prompts"
    )
    clips: int = Field(4, ge=1, description="held-out clips that are brought back and measured")
    seconds: float = Field(8.0, gt=0, le=3600, description="length of each clip that is measured")
    prompts: _EvaluationPrompts = Field(
        [],
        description="texts to make clips of, for metrics of sets and of texts: a list, or lists by "
        "genre, `{Metal: [Death Metal], Pop: [Synth Pop]}`; empty: captions of held-out clips",
    )
    generated: int = Field(16, ge=1, le=100_000, description="clips that are made of the prompts")
    real: int = Field(
        64, ge=1, description="real clips that they are compared with, of each split at most"
    )

    @property
    def genres(self) -> dict[str, list[str]]:
        """Return the prompts by genre; none where they are a plain list."""
        return self.prompts if isinstance(self.prompts, dict) else {}
