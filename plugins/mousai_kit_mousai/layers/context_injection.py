"""Latent injection: the context joins the channels, or is added. b batch, t time, c channels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.conditioning import Conditions
from mousai_kit_mousai.layers.packing import Packable


class ContextInjection(Packable):
    """Mix the context's channels with x's, frame by frame, and add x.

    The mix of both is the sum of a mix of each, and that of the context stays for all levels.
    """

    def __init__(self, channels: int, context_channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.mix = nn.Linear(channels + context_channels, channels)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        frames = x.shape[1]
        heard = conditions.fixed.keep(
            (self, conditions.real_frames(frames), frames),
            lambda: self._project_context(frames, conditions).to(x.dtype),
        )
        return self.project(x, self._frame_weights, x + heard)

    def _frame_weights(self) -> tuple[Tensor, None]:
        """Return the weight [c, c] that mixes x's channels; the bias comes with the context."""
        return self.mix.weight[:, : self.channels], None

    def _project_context(self, frames: int, conditions: Conditions) -> Tensor:
        """Return what the context adds to `frames` frames [b, t, c]."""
        context = conditions.context(frames).transpose(1, 2)
        return F.linear(context, self.mix.weight[:, self.channels :], self.mix.bias)


class ContextEntry(nn.Module):
    """Add the context to frames as they enter: nothing before training, as its weights are 0."""

    def __init__(self, channels: int, context_channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(context_channels, channels)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        frames = x.shape[1]
        heard = conditions.fixed.keep(
            (self, conditions.real_frames(frames), frames),
            lambda: self.mix(conditions.context(frames).transpose(1, 2)).to(x.dtype),
        )
        return x + heard
