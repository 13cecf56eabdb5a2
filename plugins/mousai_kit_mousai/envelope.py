"""The envelope: how loud each coefficient is likely to be, told by the latent alone.

Legend: b batch, c channels, n frames; V variance of the clean signal given the latent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

import mousai_kit.api as mk
from mousai_kit_mousai.layers.resnet import ResNetBlock

FLOOR, CEILING = -7.0, 3.0
"""Bounds of a log deviation: the domain's coefficients have unit variance on the whole."""
OUTLIER = 50.0
"""Squared deviations count no more than this, so that a click can't dominate a step."""


class EnvelopeOptions(mk.Options):
    """Options of an autoencoder's `envelope`."""

    channels: int = mk.Field(512, ge=8, multiple_of=8, description="channels inside")
    blocks: int = mk.Field(1, ge=0, description="ResNet blocks")
    weight: float = mk.Field(
        0.5, gt=0, description="weight of the envelope's likelihood beside the velocity's loss"
    )


class Envelope(nn.Module):
    """Predicts the log standard deviation of every coefficient from the latent."""

    def __init__(self, options: EnvelopeOptions, *, latent_channels: int, channels: int) -> None:
        super().__init__()
        inner = options.channels
        self.enter = nn.Conv1d(latent_channels, inner, 1)
        self.blocks = nn.ModuleList(
            ResNetBlock(inner, inner, groups=8) for _ in range(options.blocks)
        )
        self.leave = nn.Conv1d(inner, channels, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, latent: Tensor, frames: int) -> Tensor:
        """Return log deviations [b, c, frames], float32, for a latent of the same time span."""
        x = self.enter(latent).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        x = self.leave(nn.functional.silu(x).transpose(1, 2)).float()
        x = x if x.shape[-1] == frames else interpolate(x, frames, mode="nearest")
        return x.clamp(FLOOR, CEILING)


def gaussian_nll(log_deviation: Tensor, signal: Tensor) -> Tensor:
    """Return the negative log likelihood [b, c, n] of a signal [b, c, n], less a constant."""
    scaled = (signal * (-log_deviation).exp()).square().clamp(max=OUTLIER)
    return log_deviation + scaled / 2


class EnvelopePreconditioner:
    """A velocity that starts from the best one for a signal of known variances.

    For Gaussian coefficients of variance V the best v is linear in x: Wiener's filter. The network
    sees x beside the envelope, as 2c channels. One half of its answer corrects the envelope, which
    knew nothing of x; the other is added in units of what the filter leaves open (after Karras et
    al., 2022, section 5, with V in place of one variance for all):
    v = alpha beta (1 - V) / D * x + sqrt(V / D) * rest, D = alpha^2 V + beta^2.
    """

    def __init__(self, network: mk.Velocity, log_deviation: Tensor, schedule: mk.Schedule) -> None:
        self.network, self.log_deviation = mk.JumpVelocity.of(network), log_deviation
        self.schedule, self.jumps = schedule, self.network.jumps

    def __call__(self, x: Tensor, sigma: Tensor, target: Tensor | None = None) -> Tensor:
        """Return v [b, c, n] for x [b, c, n] at levels sigma [b], to levels target [b] if any."""
        alpha, beta = (weight[:, None, None] for weight in self.schedule.weights(sigma))
        answer = self.network(torch.cat([x, self.log_deviation], dim=1), sigma, target).float()
        rest, correction = answer.chunk(2, dim=1)
        variance = (2 * (self.log_deviation + correction).clamp(FLOOR, CEILING)).exp()
        total = alpha.square() * variance + beta.square()
        return alpha * beta * (1 - variance) / total * x + (variance / total).sqrt() * rest
