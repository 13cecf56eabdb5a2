"""The U-Net of pictures: 2-D convolutions that follow the noise level and a text.

Legend: b batch, a pictures of a clip (channels of audio), m bands, t frames; c channels inside, h
and w a picture's height and width there, e features of the noise level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self, cast

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_riffusion.layers import (
    LevelFeatures,
    PictureLevel,
    TextTokens,
    TokenMemory,
    zero_weights,
)

Count = Annotated[int, mk.Field(ge=1)]
Switch = Annotated[int, mk.Field(ge=0, le=1)]
PER_DEPTH = ("channels", "blocks", "attentions", "cross_attentions")


class UNet2d(mk.UNet):
    """2-D convolutional U-Net over pictures of bands and frames, with attention where asked.

    As in latent diffusion (Rombach et al., 2022), without its autoencoder: patches of the picture
    enter, and each depth below has half the height and half the width. It unfolds x into the
    pictures that the domain's layout tells; channels without such an order, as of latents, are the
    rows of one picture. v = gain * x + what the patches make, the gain of each row following the
    noise level; both are 0 before training. The mean of the text's tokens steers every block along
    with the noise level.
    """

    name = "unet2d"

    class Options(mk.Options):
        """Options of `unet: unet2d`. Lists have one value per depth, from the surface downwards."""

        patch: list[Count] = mk.Field(
            [8, 4],
            min_length=2,
            max_length=2,
            description="bands and frames of the picture that become one place of the surface",
        )
        channels: list[Count] = mk.Field(
            [96, 128, 192], min_length=1, description="channels of each depth"
        )
        blocks: list[Count] = mk.Field(
            [1, 1, 2], description="blocks on each depth's way down, and on its way up"
        )
        attentions: list[Switch] = mk.Field(
            [0, 0, 1], description="1 where places look at each other behind each block"
        )
        cross_attentions: list[Switch] = mk.Field(
            [0, 1, 1], description="1 where places look at the text behind each block"
        )
        heads: int = mk.Field(4, ge=1, description="heads of every attention")
        groups: int = mk.Field(8, ge=1, description="groups of the norms; divides all channels")
        modulation_features: int = mk.Field(256, ge=2, description="features of the noise level")

        @model_validator(mode="after")
        def _depths_agree(self) -> Self:
            lengths = {name: len(getattr(self, name)) for name in PER_DEPTH}
            if len(set(lengths.values())) > 1:
                counts = ", ".join(f"{name} {count}" for name, count in lengths.items())
                raise ValueError(f"the lists need one value per depth each (they have {counts})")
            for name, divisor in (("groups", self.groups), ("heads", self.heads)):
                if odd := [channels for channels in self.channels if channels % divisor]:
                    raise ValueError(
                        f"channels must be multiples of {name}, {divisor} (got {odd[0]})"
                    )
            return self

    def __init__(
        self,
        options: Options,
        *,
        channels: int,
        context_channels: int,
        text_features: int,
        layout: mk.ChannelLayout | None = None,
    ) -> None:
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        if text_features and not any(options.cross_attentions):
            raise mk.RecipeError(
                f"{self.name}: cross_attentions must be 1 at some depth, to hear the text"
            )
        self.bands = channels if layout is None else layout.bands
        pictures, (high, wide) = channels // self.bands, options.patch
        self.patch, surface = (high, wide), options.channels[0]
        halvings = 2 ** (len(options.channels) - 1)
        self.downsampling = wide * halvings
        self.rows = -(-self.bands // (high * halvings)) * halvings
        features = options.modulation_features
        self.level = LevelFeatures(features)
        self.gain = zero_weights(nn.Linear(features, channels))
        self.enter = nn.Conv2d(pictures, surface, self.patch, stride=self.patch)
        self.place = nn.Parameter(0.02 * torch.randn(surface, self.rows, 1))
        self.hear = (
            zero_weights(nn.Conv1d(context_channels, surface, 1)) if context_channels else None
        )
        self.read = TextTokens(text_features, features) if text_features else None
        depths = [
            PictureLevel(
                channels=width,
                below=options.channels[depth + 1 :][:1],
                blocks=options.blocks[depth],
                attention=options.attentions[depth] > 0,
                text_features=text_features * options.cross_attentions[depth],
                heads=options.heads,
                groups=options.groups,
                features=features,
            )
            for depth, width in enumerate(options.channels)
        ]
        self.depths = nn.ModuleList(depths)
        self.norm = nn.GroupNorm(options.groups, surface)
        self.leave = zero_weights(
            nn.ConvTranspose2d(surface, pictures, self.patch, stride=self.patch)
        )

    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        *,
        context: Tensor | None = None,
        text: mk.TextEmbedding | None = None,
    ) -> Tensor:
        """Return v [b, a * m, t] for x [b, a * m, t], of any length, and sigma [b]."""
        return self.bind(context, text)(x, sigma)

    def bind(
        self,
        context: Tensor | None = None,
        text: mk.TextEmbedding | None = None,
        *,
        levels: Tensor | None = None,
    ) -> mk.Velocity:
        """Return the velocity for fixed conditioning; the text's keys and values are made here."""
        self.check_conditioning(context, text)
        if self.read is None or text is None:
            return BoundUNet2d(self, context, None, [])
        tokens, visible, summary = self.read(text)
        depths = cast("list[PictureLevel]", list(self.depths))
        memories = [depth.memories(tokens, visible) for depth in depths]
        return BoundUNet2d(self, context, summary, memories)

    def repeated_blocks(self) -> list[nn.Module]:
        """Return the blocks of all depths."""
        depths = cast("list[PictureLevel]", list(self.depths))
        return [block for depth in depths for block in (*depth.down_blocks, *depth.up_blocks)]

    def velocity(self, x: Tensor, sigma: Tensor, bound: BoundUNet2d) -> Tensor:
        """Return v [b, a * m, t]; `bind` is the way to call this."""
        level = self.level(sigma.to(self.place.dtype))
        level = level if bound.summary is None else level + bound.summary
        pictures = x.unflatten(1, (-1, self.bands))
        missing = (-x.shape[2] % self.downsampling, self.rows * self.patch[0] - self.bands)
        surface = self.enter(F.pad(pictures, (0, missing[0], 0, missing[1]))) + self.place
        if self.hear is not None and bound.context is not None:
            heard = F.adaptive_avg_pool1d(bound.context, -(-x.shape[2] // self.patch[1]))
            heard = self.hear(mk.pad_context(heard, surface.shape[3]))
            surface = surface + heard[:, :, None]
        made = self._through_depths(surface, F.silu(level), bound)
        rest = self.leave(F.silu(self.norm(made)))[:, :, : self.bands, : x.shape[2]]
        gain = self.gain(F.silu(level))[:, :, None]
        return torch.addcmul(rest.flatten(1, 2), gain.to(rest.dtype), x.to(rest.dtype)).to(x.dtype)

    def _through_depths(self, surface: Tensor, level: Tensor, bound: BoundUNet2d) -> Tensor:
        """Map the surface [b, c, h, w] down all depths and up again."""
        depths = cast("list[PictureLevel]", list(self.depths))
        memories = bound.memories or [[]] * len(depths)
        x, around = surface.contiguous(memory_format=torch.channels_last), list[Tensor]()
        for depth, memory in zip(depths, memories, strict=True):
            x = depth.down(x, level, memory)
            around.append(x)
            x = depth.shrink(x)
        for depth, memory in zip(reversed(depths), reversed(memories), strict=True):
            x = depth.up(x, around.pop(), level, memory)
        return x


@dataclass(frozen=True, slots=True)
class BoundUNet2d:
    """A U-Net's velocity for fixed conditioning."""

    network: UNet2d
    context: Tensor | None
    summary: Tensor | None
    """[b, e] of the text."""
    memories: Sequence[Sequence[TokenMemory]]
    """The text as the blocks of each depth read it, down and up; empty where there is none."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return v [b, a * m, t] for x [b, a * m, t] and sigma [b]."""
        return self.network.velocity(x, sigma, self)
