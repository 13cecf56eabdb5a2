"""The diffusion transformer over time. b batch, c channels, t time, n tokens, d features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, Self, cast

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_dit.attention import CrossAttention, Memory, Reader
from mousai_kit_dit.block import Block
from mousai_kit_dit.noise_level import NoiseLevel, modulated
from mousai_kit_dit.rotary import Rotary

Memories = Sequence[Memory | None]
"""The text as each block reads it; None where there is no text."""


@dataclass(frozen=True, slots=True)
class Around:
    """What frames of one length are told: the context [b, t, d], as heard, and their positions."""

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
        head: Literal["plain", "gain"] = mk.Field(
            "plain", description="plain: the network gives v; gain: it gives g and r of v = g*x + r"
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
        self.hear = nn.Linear(context_channels * patch, features) if context_channels else None
        self.read = Reader(text_features, features) if text_features else None
        inner = 8 * ceil(options.feed_forward * features / 8)
        blocks = (
            Block(features, heads=options.heads, inner=inner, text=text_features > 0)
            for _ in range(options.depth)
        )
        self.blocks = nn.ModuleList(blocks)
        self.level = NoiseLevel(features=features, parts=[Block.STEERED] * options.depth + [2])
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
        text: mk.Text | None = None,
    ) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t], of any length, and sigma [b]."""
        return self.bind(context, text)(x, sigma)

    def bind(
        self,
        context: Tensor | None = None,
        text: mk.Text | None = None,
        *,
        levels: Tensor | None = None,
    ) -> mk.Velocity:
        """Return the velocity for fixed conditioning.

        The text is read here, and the context at the first call for a length. On a CPU what the
        blocks are told at the `levels` is worked out here too.
        """
        self.check_given(context, text)
        memories = self._memories(text)
        on_cpu = self.enter.weight.device.type == "cpu"  # a GPU would be kept waiting at each step
        if levels is None or not len(levels) or not on_cpu or torch.is_grad_enabled():
            return BoundDiT1d(self, context, memories)
        rows = zip(levels.float().tolist(), self.level(levels).split(1), strict=True)
        return BoundDiT1d(self, context, memories, dict(rows))

    def velocity(self, x: Tensor, told: Tensor, memories: Memories, around: Around) -> Tensor:
        """Return v [b, channels, t]; `bind` is the way to call this."""
        frames = self.enter(_patches(x, self.downsampling)).float()  # small changes add up
        frames = frames if around.heard is None else frames + around.heard
        *steering, (scale, shift) = self.level.split(told)
        blocks = cast("list[Block]", list(self.blocks))
        for block, steered, memory in zip(blocks, steering, memories, strict=True):
            frames = mk.repeated(block, frames, steered, around.rotary, memory)
        out = _unpatched(self.leave(modulated(frames, scale, shift)), self.downsampling)
        out = out[..., : x.shape[2]].to(x.dtype)
        if self.head == "plain":
            return out
        gain, rest = out.chunk(2, dim=1)
        return torch.addcmul(rest, gain, x)

    def around(self, context: Tensor | None, length: int) -> Around:
        """Return what frames of a length are told besides the level and the text."""
        frames = -(-length // self.downsampling)
        rotary = Rotary.over(frames, self.head_features, device=self.enter.weight.device)
        if self.hear is None or context is None:
            return Around(None, rotary)
        resized = F.adaptive_avg_pool1d(context, length)
        return Around(self.hear(_patches(resized, self.downsampling)), rotary)

    def _memories(self, text: mk.Text | None) -> Memories:
        """Return the text as each block reads it."""
        if self.read is None or text is None:
            return [None] * len(self.blocks)
        tokens, visible = self.read(text)
        reading = (cast("CrossAttention", cast("Block", it).reading) for it in self.blocks)
        return [it.memory(tokens, visible) for it in reading]


class BoundDiT1d:
    """A transformer's velocity for fixed conditioning."""

    def __init__(
        self,
        network: DiT1d,
        context: Tensor | None,
        memories: Memories,
        rows: Mapping[float, Tensor] | None = None,
    ) -> None:
        """Say what the blocks are told at levels that are known beforehand in `rows`."""
        self.network, self.context, self.memories = network, context, memories
        self.rows = rows or {}
        self._around: dict[int, Around] = {}

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t] and sigma [b]."""
        length = x.shape[2]
        if length not in self._around:
            self._around = {length: self.network.around(self.context, length)}
        told = self._told(sigma)
        return self.network.velocity(x, told, self.memories, self._around[length])

    def _told(self, sigma: Tensor) -> Tensor:
        """Return what the blocks are told of noise levels [b], once where all are one."""
        if self.rows:
            first, *others = set(sigma.tolist())
            if not others and first in self.rows:
                return self.rows[first]
        told: Tensor = self.network.level(sigma)
        return told


def _patches(x: Tensor, size: int) -> Tensor:
    """Return the patches [b, t / size, c * size] of x [b, c, t], the last filled up with 0."""
    whole = F.pad(x, (0, -x.shape[2] % size))
    return whole.unflatten(2, (-1, size)).transpose(1, 2).flatten(2)


def _unpatched(patches: Tensor, size: int) -> Tensor:
    """Return x [b, c, t] of its patches [b, t / size, c * size]."""
    return patches.unflatten(2, (-1, size)).transpose(1, 2).flatten(2)
