"""What a recipe says of what is made: prompts, length, guidance, and how it is played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from mousai_kit.core.component import Field, Options
from mousai_kit.core.errors import format_value
from mousai_kit.core.interfaces import Controls, Prompt
from mousai_kit.core.validation import flatten_errors, option_error
from mousai_kit.recipe.option_types import optional_section
from mousai_kit.recipe.train_options import Precision


def _read_prompt(value: Any, info: ValidationInfo) -> str | Prompt:
    """Return a prompt of a recipe: text, or text with controls."""
    if isinstance(value, str | Prompt):
        return value
    if not isinstance(value, Mapping):
        quoted = "" if isinstance(value, list) else "; put it in quotes"
        rule = f"must be text{quoted}, or a mapping with `prompt`"
        raise option_error(f"{rule} (got {format_value(value)})")
    try:
        return Prompt.model_validate(value, context=info.context)
    except ValidationError as error:
        raise PydanticCustomError(
            "nested", "nested problems", {"errors": flatten_errors(error, Prompt)}
        ) from None


_Prompt = Annotated[str | Prompt, PlainValidator(_read_prompt, json_schema_input_type=str | Prompt)]


class Generate(Options):
    """What is made after training."""

    prompts: list[_Prompt] = Field(
        [],
        description="texts to make music from, each alone or with controls: `{prompt: Rock, "
        "negative: vocals}`",
    )
    seconds: float = Field(10.0, gt=0, description="length of each clip")
    guidance: float = Field(
        5.0, ge=0, description="1 follows the prompt as learned, more insists on it"
    )
    controls: Controls = optional_section(
        "what all prompts are asked for beside, in place of the defaults"
    )
    count: int = Field(1, ge=1, description="clips per prompt")
    batch: int | None = Field(
        None, ge=1, description="clips made at a time; null: one on a CPU, eight elsewhere"
    )
    window: float = Field(
        10.0,
        gt=0,
        description="seconds that are made at a time: longer audio takes no more memory; windows "
        "overlap by an eighth",
    )
    precision: dict[str, Precision] = Field(
        {},
        description="in what a stage computes when it plays, by its name, where that is not its "
        "`train.precision`: `{generator: bf16}`; fp32 where the processor has no products of it",
    )
    format: Literal["flac", "wav", "ogg"] = Field("flac", description="file format of the clips")

    @property
    def texts(self) -> list[str]:
        """Return the prompts' texts."""
        return [item if isinstance(item, str) else item.prompt for item in self.prompts]
