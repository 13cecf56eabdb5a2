"""Options of the 1-D U-Net; the defaults are the paper's decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

import mousai_kit.api as mk

Count = Annotated[int, mk.Field(ge=1)]
Copies = Annotated[int, mk.Field(ge=0)]
Switch = Annotated[int, mk.Field(ge=0, le=1)]
NEEDED_PER_DEPTH = ("channels", "factors", "blocks")
PER_DEPTH = (*NEEDED_PER_DEPTH, "attentions", "cross_attentions", "context_injections")


class TransformOptions(mk.Options):
    """Options of a U-Net's `transform`: a learned one between the wave and the U-Net."""

    filters: int = mk.Field(128, ge=1, description="channels that each channel of the wave becomes")
    window: int = mk.Field(64, ge=1, description="samples under one frame")
    stride: int = mk.Field(64, ge=1, description="samples from frame to frame")

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if self.window < self.stride or (self.window - self.stride) % 2:
            raise ValueError(
                "window must be stride or an even number of samples more, so that frames cover "
                f"the wave evenly (got window {self.window}, stride {self.stride})"
            )
        return self


class UNet1dOptions(mk.Options):
    """Options of `unet: unet1d`. Lists have one value per depth, from the surface downwards."""

    former_names: ClassVar[Mapping[str, str]] = {
        "items": "blocks",
        "injections": "context_injections",
    }

    channels: list[Count] = mk.Field(
        [256, 512, 512, 512, 1024, 1024, 1024], min_length=1, description="channels of each depth"
    )
    factors: list[Count] = mk.Field(
        [1, 2, 2, 2, 2, 2, 2], description="how many times shorter each depth is than the one above"
    )
    blocks: list[Copies] = mk.Field(
        [1, 2, 2, 2, 2, 2, 2],
        description="blocks on each depth's way down, and on its way up",
    )
    attentions: list[Copies] = mk.Field(
        [], description="self-attentions in each block, 0 or 1 mostly; an empty list: none"
    )
    cross_attentions: list[Copies] = mk.Field(
        [], description="attentions to the text in each block, 0 or 1 mostly; an empty list: none"
    )
    context_injections: list[Switch] = mk.Field(
        [0, 0, 0, 0, 1, 0, 0],
        description="1 where the blocks take in the context; an empty list: nowhere",
    )
    context_at_input: bool = mk.Field(
        False,
        description="add the context where frames enter, with weights of 0 at first: a network "
        "learned without one does as it did",
    )
    attention_heads: int = mk.Field(12, ge=1, description="heads of every attention")
    attention_features: int = mk.Field(64, ge=1, description="features of each head")
    transform: TransformOptions | None = mk.Field(
        TransformOptions.model_validate({}),
        description="learned transform in front, for waveforms; null: none",
    )
    skip: Literal["modulated", "concatenated"] = mk.Field(
        "modulated", description="how a depth's way around joins it: added and scaled, or mixed"
    )
    modulation_features: int = mk.Field(1024, ge=1, description="features of the noise level")
    groups: int = mk.Field(8, ge=1, description="groups of the ResNet's group norms")
    head: Literal["plain", "gain"] = mk.Field(
        "plain", description="plain: the network gives v; gain: it gives g and r of v = g * x + r"
    )

    @model_validator(mode="after")
    def _depths_agree(self) -> Self:
        lengths = {name: len(getattr(self, name)) for name in PER_DEPTH}
        given = {name: size for name, size in lengths.items() if size or name in NEEDED_PER_DEPTH}
        if len(set(given.values())) > 1:
            counts = ", ".join(f"{name} {count}" for name, count in given.items())
            raise ValueError(f"the lists need one value per depth each (they have {counts})")
        if odd := [channels for channels in self.channels if channels % self.groups]:
            raise ValueError(f"channels must be multiples of groups, {self.groups} (got {odd[0]})")
        return self

    def at(
        self, name: Literal["attentions", "cross_attentions", "context_injections"], depth: int
    ) -> int:
        """Return a list's value at a depth, 0 where the list is empty."""
        values: list[int] = getattr(self, name)
        return values[depth] if values else 0


def check_wiring(options: UNet1dOptions, context_channels: int, text_features: int) -> None:
    """Raise where the options take in what the neighbours don't give, or leave out what they do."""
    if any(options.context_injections) and not context_channels:
        raise mk.RecipeError("unet1d: context_injections need a context, and this stage gives none")
    if options.context_at_input and not context_channels:
        raise mk.RecipeError("unet1d: context_at_input needs a context, and this stage gives none")
    if context_channels and not (any(options.context_injections) or options.context_at_input):
        raise mk.RecipeError(
            "unet1d: to hear the context, set a context_injections to 1, or context_at_input"
        )
    if any(options.cross_attentions) and not text_features:
        raise mk.RecipeError("unet1d: cross_attentions need a text, and this stage gives none")
    if text_features and not any(options.cross_attentions):
        raise mk.RecipeError("unet1d: cross_attentions must be 1 at some depth, to hear the text")
