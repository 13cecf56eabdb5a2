"""Controls: what a clip is asked beside its prompt, seed, length and guidance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from mousai_kit.core.component import Field, LocalPath, Options, to_plain_dict


class Controls(Options):
    """What a clip is asked beside its prompt, seed, length and guidance; by default nothing.

    The command line, Python and a recipe's prompts say it in the same words. A stage lists those
    that it heeds as `controls`.
    """

    negative: str | None = Field(
        default=None, description="text that guidance leads away from, in place of no text"
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

    def chosen(self) -> dict[str, Any]:
        """Return what is asked for, as plain values by name: all that is no default."""
        idle, plain = to_plain_dict(Controls()), to_plain_dict(self)
        return {name: plain[name] for name in idle if plain[name] != idle[name]}

    def tags(self) -> Iterator[tuple[str, str]]:
        """Yield what a clip's file says of it: a tag for each that is asked for."""
        for name, value in self.chosen().items():
            yield name, str(value)


class Prompt(Controls):
    """A prompt with controls, as a recipe lists it: `{prompt: Rock, negative: vocals}`."""

    shows_defaults: ClassVar[bool] = False

    prompt: str = Field(description="text to make music from")

    @property
    def controls(self) -> Controls:
        """Return what is asked beside the text."""
        fields = {name: getattr(self, name) for name in Controls.model_fields}
        return Controls.model_construct(**fields)
