"""Stable Audio Open's diffusion transformer (Evans et al., 2024, arXiv 2407.14358).

Legend: b batch, c channels, t frames, n tokens, e features of a token, f features of a frame.

The published network was trained in the terms of Karras et al. (2022, arXiv 2206.00364), with a
noise s over data of deviation 1, and is told t = 2 / pi * atan(s). Those are ours: with the cosine
schedule's alpha = cos(pi t / 2) and beta = sin(pi t / 2), s = beta / alpha, and

    c_in   = 1 / sqrt(s^2 + 1)  = alpha
    c_skip = 1 / (s^2 + 1)      = alpha^2
    c_out  = -s / sqrt(s^2 + 1) = -beta

so that its input, c_in * (data + s * noise) = alpha * data + beta * noise, is our x, and what it
takes for the data, c_skip * (x / alpha) + c_out * v = alpha * x - beta * v, is what v means here.
Neither needs a factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_stable_audio.attention import (
    GroupedCrossAttention,
    Memory,
    PartlyRotarySelfAttention,
    Turns,
)


class StableAudioDiT(mk.UNet):
    """Stable Audio Open's diffusion transformer: told the level and the timing as a frame of x.

    Blocks of attention with rotary positions, attention to the text's tokens and a gated network.
    The level, and the last `global_tokens` of what it is told (a timing's), stand as one frame
    before x. A masked token counts as zeros, as in the published network, and where none but the
    global ones is real all do: that is guidance's pass without a text.
    """

    name = "stable-audio-dit"

    class Options(mk.Options):
        """Options of `unet: stable-audio-dit`; the defaults are the published network's, 1.06 B."""

        depth: int = mk.Field(24, ge=1, description="blocks, one after the other")
        heads: int = mk.Field(24, ge=1, description="attention heads")
        head_features: int = mk.Field(
            64, ge=4, multiple_of=4, description="features of a head, half of which turn in pairs"
        )
        shared_heads: int = mk.Field(
            12, ge=1, description="heads of the tokens' keys and values; divides heads"
        )
        told_features: int = mk.Field(
            768, ge=1, description="features of a token where it is looked at"
        )
        global_tokens: int = mk.Field(
            2, ge=0, description="tokens, the last ones, that steer as a whole: a timing has 2"
        )
        level_features: int = mk.Field(
            256, ge=2, multiple_of=2, description="sines and cosines of the noise level"
        )

        @model_validator(mode="after")
        def _heads_fit(self) -> Self:
            if self.heads % self.shared_heads:
                raise ValueError(
                    "shared_heads must divide heads "
                    f"(got shared_heads {self.shared_heads}, heads {self.heads})"
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
        self.downsampling, self.turning = 1, options.head_features // 2
        features = options.heads * options.head_features
        self.global_tokens = options.global_tokens if text_features else 0
        self.level = LevelEmbedding(options.level_features, features)
        self.tell = _two_layers(text_features, options.told_features) if text_features else None
        told = self.global_tokens * text_features
        self.steer = _two_layers(told, features) if told else None
        self.before, self.after = (_silent_layer(channels, channels) for _ in range(2))
        self.enter = nn.Linear(channels, features, bias=False)
        self.hear = _silent_layer(context_channels, features) if context_channels else None
        self.blocks = nn.ModuleList(
            StableAudioBlock(features, options, told=text_features > 0)
            for _ in range(options.depth)
        )
        self.leave = nn.Linear(features, channels, bias=False)

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
        """Return the velocity for fixed conditioning: what is told is read here."""
        self.check_conditioning(context, text)
        return BoundStableAudioDiT(self, context, *self._read(text))

    def repeated_blocks(self) -> nn.ModuleList:
        """Return the blocks."""
        return self.blocks

    def velocity(
        self,
        x: Tensor,
        sigma: Tensor,
        context: Tensor | None,
        memories: list[Memory | None],
        steering: Tensor | None,
    ) -> Tensor:
        """Return v [b, channels, t]; `bind` is the way to call this."""
        frames = x.transpose(1, 2)
        frames = self.enter(frames + self.before(frames))
        if self.hear is not None and context is not None:
            resized = F.adaptive_avg_pool1d(context, x.shape[2])
            frames = frames + self.hear(resized.transpose(1, 2))
        first = self.level(sigma) if steering is None else self.level(sigma) + steering
        frames = torch.cat([first[:, None].to(frames), frames], 1).float()  # small changes add up
        turns = Turns.over(frames.shape[1], self.turning, device=frames.device)
        for block, memory in zip(self.blocks, memories, strict=True):
            frames = block(frames, turns, memory)
        out = self.leave(frames[:, 1:])
        return (out + self.after(out)).transpose(1, 2).to(x.dtype)

    def _read(self, text: mk.TextEmbedding | None) -> tuple[list[Memory | None], Tensor | None]:
        """Return what each block looks at of a text, and what steers as a whole [b, f]."""
        if self.tell is None or text is None:
            return [None] * len(self.blocks), None
        real = text.mask[..., None]
        known = text.embedding.masked_fill(~real, 0)
        own = known.shape[1] - self.global_tokens
        tokens = self.tell(known.masked_fill(~real[:, :own].any(1, keepdim=True), 0))
        blocks = cast("list[StableAudioBlock]", list(self.blocks))
        memories = [block.reading.memory(tokens) for block in blocks if block.reading]
        steering = None if self.steer is None else self.steer(known[:, own:].flatten(1))
        return [*memories], steering


@dataclass(frozen=True, slots=True)
class BoundStableAudioDiT:
    """The network's velocity for fixed conditioning."""

    network: StableAudioDiT
    context: Tensor | None
    memories: list[Memory | None]
    steering: Tensor | None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t] and sigma [b]."""
        return self.network.velocity(x, sigma, self.context, self.memories, self.steering)


class StableAudioBlock(nn.Module):
    """Self-attention, attention to what is told if anything is, and a gated feed-forward network.

    Each adds to what came in, through weights that are 0 before training.
    """

    def __init__(self, features: int, options: StableAudioDiT.Options, *, told: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.attention = PartlyRotarySelfAttention(features, heads=options.heads)
        self.norm_reading = nn.LayerNorm(features) if told else None
        self.reading = (
            GroupedCrossAttention(
                features,
                options.told_features,
                heads=options.heads,
                shared_heads=options.shared_heads,
            )
            if told
            else None
        )
        self.norm_thinking = nn.LayerNorm(features)
        self.think = nn.Linear(features, 8 * features)
        self.conclude = nn.Linear(4 * features, features)
        added = [self.attention.leave, self.conclude]
        for layer in added if self.reading is None else [*added, self.reading.leave]:
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.conclude.bias)

    def forward(self, x: Tensor, turns: Turns, memory: Memory | None) -> Tensor:
        """Map x [b, t, f] to [b, t, f]."""
        x = x + self.attention(self.norm(x), turns)
        if self.reading is not None and self.norm_reading is not None and memory is not None:
            x = x + self.reading(self.norm_reading(x), memory)
        value, gate = self.think(self.norm_thinking(x)).chunk(2, dim=2)
        return x + self.conclude(value * F.silu(gate))


class LevelEmbedding(nn.Module):
    """A noise level as a vector, by sines and cosines at frequencies that are drawn once."""

    frequencies: Tensor

    def __init__(self, waves: int, features: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(waves // 2))
        self.enter, self.leave = nn.Linear(waves, features), nn.Linear(features, features)

    def forward(self, sigma: Tensor) -> Tensor:
        """Return vectors [b, f] of noise levels [b]."""
        angle = 2 * torch.pi * sigma.to(self.frequencies)[:, None] * self.frequencies
        return self.leave(F.silu(self.enter(torch.cat([angle.cos(), angle.sin()], 1))))


def _two_layers(inputs: int, outputs: int) -> nn.Sequential:
    """Return two layers without biases: of zeros they make zeros."""
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=False), nn.SiLU(), nn.Linear(outputs, outputs, bias=False)
    )


def _silent_layer(inputs: int, outputs: int) -> nn.Linear:
    """Return a layer whose output is added to something, and is 0 before training."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.zeros_(layer.weight)
    return layer
