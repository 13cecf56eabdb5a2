"""The diffusion transformer over time. b batch, c channels, t time, n tokens, d features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal, Self, cast

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_dit.attention import CrossMemory, Summary, TextCrossAttention, TextProjection
from mousai_kit_dit.block import Block
from mousai_kit_dit.modulation import LevelFilter, LevelModulation, modulate
from mousai_kit_dit.rotary import Rotary

TextMemories = Sequence[CrossMemory | None]
"""The text as each block reads it; None where there is no text."""


@dataclass(frozen=True, slots=True)
class FrameContext:
    """The context [b, t, d] that frames of one length hear, and their positions."""

    heard: Tensor | None
    rotary: Rotary


class DiT1d(mk.UNet):
    """Diffusion transformer over frames, after Stable Audio's (Evans et al., 2024, 2404.10301).

    Patches of x, with the context beside them, pass through blocks of attention with rotary
    positions (arXiv 2104.09864), steered by the noise level (adaLN-Zero, arXiv 2212.09748), and
    become v, which is 0 before training. Every frame sees every other: the time that takes grows
    with the square of the length.
    """

    name = "dit1d"

    class Options(mk.Options):
        """Options of `unet: dit1d`; the defaults have as many parameters as the paper's U-Net."""

        features: int = mk.Field(1024, ge=2, description="features of a frame inside")
        depth: int = mk.Field(24, ge=1, description="blocks, one after the other")
        heads: int = mk.Field(16, ge=1, description="attention heads; divides features")
        feed_forward: float = mk.Field(
            8 / 3, gt=0, description="inner features of a block's network, over features"
        )
        patch: int = mk.Field(
            1, ge=1, description="frames of x that become one: attention's time falls by its square"
        )
        summary: bool = mk.Field(
            False,
            description="tell every block the mean of the text's tokens along with the noise "
            "level: a style is followed after fewer steps",
        )
        head: Literal["plain", "gain"] = mk.Field(
            "plain", description="plain: the network gives v; gain: it gives g and r of v = g*x + r"
        )
        filter: int = mk.Field(
            0,
            ge=0,
            description="frames to each side over which v has a share of x, each channel's own and "
            "as the noise level says: what changes slowly is smooth after fewer steps; 0: none",
        )

        @model_validator(mode="after")
        def _heads_fit(self) -> Self:
            if self.features % (2 * self.heads):
                raise ValueError(
                    "features must be a multiple of twice the heads, as positions turn pairs "
                    f"(got features {self.features}, heads {self.heads})"
                )
            return self

    def __init__(
        self, options: Options, *, channels: int, context_channels: int, text_features: int
    ) -> None:
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        features, patch = options.features, options.patch
        self.head, self.downsampling = options.head, patch
        self.head_features = features // options.heads
        self.enter = nn.Linear(channels * patch, features)
        self.hear = _silent(context_channels * patch, features) if context_channels else None
        self.read = TextProjection(text_features, features) if text_features else None
        steered_by_text = options.summary and text_features > 0
        self.summary = Summary(text_features, features) if steered_by_text else None
        inner = 8 * ceil(options.feed_forward * features / 8)
        blocks = (
            Block(features, heads=options.heads, inner=inner, text=text_features > 0)
            for _ in range(options.depth)
        )
        self.blocks = nn.ModuleList(blocks)
        self.level = LevelModulation(
            features=features, parts=[Block.NUM_MODULATION] * options.depth + [2]
        )
        self.filter = LevelFilter(channels, options.filter) if options.filter else None
        outputs = 2 * channels if options.head == "gain" else channels
        self.leave = nn.Linear(features, outputs * patch)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        *,
        context: Tensor | None = None,
        text: mk.TextEmbedding | None = None,
    ) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t], of any length, and sigma [b]."""
        return self.bind(context, text)(x, sigma)

    def bind(
        self,
        context: Tensor | None = None,
        text: mk.TextEmbedding | None = None,
        *,
        levels: Tensor | None = None,
    ) -> mk.Velocity:
        """Return the velocity for fixed conditioning.

        The text is read here, and the context at the first call for a length. On a CPU the
        modulation at the `levels` is worked out here too.
        """
        self.check_conditioning(context, text)
        memories = self._text_memories(text)
        summary = None if self.summary is None or text is None else self.summary(text)
        on_cpu = self.enter.weight.device.type == "cpu"  # a GPU would be kept waiting at each step
        if levels is None or not len(levels) or not on_cpu or torch.is_grad_enabled():
            return BoundDiT1d(self, context, memories, summary)
        count = 1 if summary is None else len(summary)
        summaries = None if summary is None else summary.repeat(len(levels), 1)
        modulation = self.level(levels.repeat_interleave(count), summaries).split(count)
        rows = dict(zip(levels.float().tolist(), modulation, strict=True))
        return BoundDiT1d(self, context, memories, summary, rows)

    def repeated_blocks(self) -> nn.ModuleList:
        """Return the blocks."""
        return self.blocks

    def velocity(
        self, x: Tensor, modulation: Tensor, memories: TextMemories, frame: FrameContext
    ) -> Tensor:
        """Return v [b, channels, t]; `bind` is the way to call this."""
        frames = self.enter(_patches(x, self.downsampling)).float()  # small changes add up
        frames = frames if frame.heard is None else frames + frame.heard
        *per_block, (scale, shift) = self.level.split(modulation)
        blocks = cast("list[Block]", list(self.blocks))
        for block, vectors, memory in zip(blocks, per_block, memories, strict=True):
            frames = block(frames, vectors, frame.rotary, memory)
        out = _unpatch(self.leave(modulate(frames, scale, shift)), self.downsampling)
        out = out[..., : x.shape[2]].to(x.dtype)
        if self.head == "plain":
            return out
        gain, rest = out.chunk(2, dim=1)
        return torch.addcmul(rest, gain, x)

    def frame_context(self, context: Tensor | None, length: int) -> FrameContext:
        """Return what frames of a length follow besides the level and the text."""
        frames = -(-length // self.downsampling)
        rotary = Rotary.over(frames, self.head_features, device=self.enter.weight.device)
        if self.hear is None or context is None:
            return FrameContext(None, rotary)
        resized = F.adaptive_avg_pool1d(context, length)
        return FrameContext(self.hear(_patches(resized, self.downsampling)), rotary)

    def _text_memories(self, text: mk.TextEmbedding | None) -> TextMemories:
        """Return the text as each block reads it."""
        if self.read is None or text is None:
            return [None] * len(self.blocks)
        tokens, visible = self.read(text)
        reading = (
            cast("TextCrossAttention", cast("Block", block).reading) for block in self.blocks
        )
        return [layer.memory(tokens, visible) for layer in reading]


@dataclass
class BoundDiT1d:
    """A transformer's velocity for fixed conditioning."""

    network: DiT1d
    context: Tensor | None
    memories: TextMemories
    summary: Tensor | None
    rows: Mapping[float, Tensor] = field(default_factory=dict)
    """The modulation of levels that are known beforehand."""
    _frames: dict[int, FrameContext] = field(default_factory=dict, init=False)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t] and sigma [b]."""
        length = x.shape[2]
        if length not in self._frames:
            self._frames = {length: self.network.frame_context(self.context, length)}
        modulation = self._modulation(sigma)
        v = self.network.velocity(x, modulation, self.memories, self._frames[length])
        return v if self.network.filter is None else v + self.network.filter(x, sigma)

    def _modulation(self, sigma: Tensor) -> Tensor:
        """Return the modulation of noise levels [b], once where all are one."""
        if self.rows:
            first, *others = set(sigma.tolist())
            if not others and first in self.rows:
                return self.rows[first]
        return self.network.level(sigma, self.summary)


def _silent(inputs: int, outputs: int) -> nn.Linear:
    """Return a layer that says nothing yet: weights learned without a context do as they did."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _patches(x: Tensor, size: int) -> Tensor:
    """Return the patches [b, t / size, c * size] of x [b, c, t], the last filled up with 0."""
    whole = F.pad(x, (0, -x.shape[2] % size))
    return whole.unflatten(2, (-1, size)).transpose(1, 2).flatten(2)


def _unpatch(patches: Tensor, size: int) -> Tensor:
    """Return x [b, c, t] of its patches [b, t / size, c * size]."""
    return patches.unflatten(2, (-1, size)).transpose(1, 2).flatten(2)
