"""Controls: what a clip is asked beside its prompt, seed, length and guidance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, model_validator

from mousai_kit.core.component import Field, LocalPath, Options, PathOption, to_plain_dict
from mousai_kit.core.validation import option_error

CONDITIONS = "conditions"
"""The control that any stage may heed: what is told besides the text."""


def printable(text: str) -> str:
    """Return a text as a file's tags can hold it: without what is no text."""
    return text.replace("\0", " ").encode(errors="replace").decode()


def _text_or_none(text: str) -> str | None:
    return printable(text) if text.strip() else None


_Text = Annotated[str, AfterValidator(_text_or_none)] | None
_Leaf = Annotated[str | int | float | bool | None, PathOption(may_be_name=True)]
_Condition = _Leaf | list[_Leaf] | dict[str, _Leaf | list[Any]]
_Level = Annotated[float, Field(ge=0, le=1)]


class Controls(Options):
    """What a clip is asked beside its prompt, seed, length and guidance; by default nothing.

    The command line, Python and a recipe's prompts say it in the same words. A stage lists those
    that it heeds as `controls`.
    """

    shows_defaults: ClassVar[bool] = False
    details: ClassVar[Mapping[str, str]] = {"blend_at": "blend", "spread": "variation"}
    """Controls that mean nothing without another one, and which."""

    negative: _Text = Field(
        default=None,
        description="text that guidance leads away from, in place of no text; empty: none",
    )
    guidance_rescale: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="how far the deviation of what guidance makes is brought back to that of the "
        "prompt alone, against over-saturation",
    )
    guidance_interval: list[_Level] = Field(
        default=[0.0, 1.0],
        min_length=2,
        max_length=2,
        description="levels of noise, the lower one first, between which guidance acts; outside "
        "it is 1, in half the time",
    )
    guidance_schedule: Literal["constant", "linear", "cosine"] = Field(
        default="constant",
        description="how guidance goes over its levels: as it is, or rising from 1 in noise to "
        "about twice as far from 1 at the end, the same on average",
    )
    blend: _Text = Field(
        default=None, description="text that the clip goes to from its prompt; empty: none"
    )
    blend_at: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of `blend` in the whole clip; null: from 0 at its start to 1 at its end",
    )
    variation: int = Field(
        default=0, ge=0, description="number of a clip near the seed's; 0 is the seed's own"
    )
    spread: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="how far a variation is from the seed's clip: 0 is the same, 1 unrelated",
    )
    source: LocalPath | None = Field(default=None, description="audio file to begin from")
    strength: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="how far to leave the file: 0 gives it back, 1 ignores it; null: 0.6, and 1 "
        "where ranges are made anew",
    )
    inpaint: LocalPath | None = Field(
        default=None, description="audio file of which `ranges` are made anew"
    )
    ranges: list[str] = Field(default=[], description="seconds of the file, such as `3-6.5`")
    extend: LocalPath | None = Field(
        default=None, description="audio file to go on from, for as long as a clip lasts"
    )
    loop: bool = Field(default=False, description="whether the end leads to the beginning")

    conditions: dict[str, _Condition] = Field(
        default={},
        description="what the clip is told besides its text, by the conditioners' names: "
        "`{melody: hum.wav, timing: [0, 180]}`",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        low, high = self.guidance_interval
        if low >= high:
            raise option_error("the first level must be below the second", "guidance_interval")
        for detail, lead in self.details.items():
            if detail in self.model_fields_set and lead not in self.model_fields_set:
                raise option_error(f"means nothing without `{lead}`", detail)
        return self

    @property
    def texts(self) -> list[str]:
        """Return the texts that are encoded beside the prompt."""
        return [text for text in (self.negative, self.blend) if text is not None]

    def explicit(self) -> dict[str, Any]:
        """Return what was said, defaults too, as plain values by name."""
        plain = to_plain_dict(self)
        return {name: plain[name] for name in Controls.model_fields if name in plain}

    def active(self) -> dict[str, Any]:
        """Return what is asked for, as plain values by name: all that makes another clip."""
        idle = {name: field.default for name, field in Controls.model_fields.items()}
        other = {name: value for name, value in self.explicit().items() if value != idle[name]}
        return {name: other[name] for name in other if self.details.get(name, name) in other}

    def tags(self) -> Iterator[tuple[str, str]]:
        """Yield what a clip's file says of it: a tag for each that is asked for, details told.

        Conditions are the cascade's to tell.
        """
        chosen = self.active()
        for name in Controls.model_fields:
            value = getattr(self, name)
            told = value is not None and name != CONDITIONS
            if told and self.details.get(name, name) in chosen:
                yield name, str(value)


class Prompt(Controls):
    """A prompt with controls, as a recipe lists it: `{prompt: Rock, negative: vocals}`."""

    prompt: str = Field(description="text to make music from")
