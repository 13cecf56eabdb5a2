"""Spacings: the cosine schedule's mixtures, at other levels. For a sampler's option `levels`.

Legend: t the level, a share of the quarter circle; tan(pi t / 2) = beta / alpha, which is the sigma
of Karras et al. (2022), and log(alpha / beta) half the log signal-to-noise ratio.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

import mousai_kit.api as mk


class LevelSpacing(mk.Schedule):
    """The cosine schedule's mixtures: alpha = cos(pi t/2), beta = sin(pi t/2)."""

    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of signal and of noise at sigma [...]."""
        angle = sigma * (pi / 2)
        return angle.cos(), angle.sin()


class CosineSpaced(LevelSpacing):
    """Levels that lie dense at both ends: t = (1 + cos(pi i / steps)) / 2."""

    name = "cosine-spaced"

    def levels(self, steps: int) -> Tensor:
        """Return the levels [steps + 1] of a sampler's steps, from 1 falling to exactly 0."""
        return (1 + torch.linspace(0, pi, steps + 1, dtype=torch.float64).cos()) / 2


class Karras(LevelSpacing):
    """Levels after Karras et al. (2022, equation 5), from pure noise in place of `highest`."""

    name = "karras"

    class Options(mk.Options):
        """Options of `schedule: karras`."""

        rho: float = mk.Field(7.0, ge=1, le=100, description="the more, the denser at low noise")
        highest: float = mk.Field(
            80.0, gt=1, le=1e6, description="noise over signal where the spacing begins"
        )
        lowest: float = mk.Field(
            0.002, gt=0, lt=1, description="noise over signal at the last level above 0"
        )

    def __init__(self, options: Options) -> None:
        self.options = options

    def levels(self, steps: int) -> Tensor:
        """Return the levels [steps + 1] of a sampler's steps, from 1 falling to exactly 0."""
        power = 1 / self.options.rho
        high, low = self.options.highest**power, self.options.lowest**power
        return _to_both_ends(torch.linspace(high, low, steps, dtype=torch.float64) ** (1 / power))


class UniformLogSNR(LevelSpacing):
    """Levels that are even in the log signal-to-noise ratio (Lu et al., 2022), pure noise first."""

    name = "uniform-log-snr"

    class Options(mk.Options):
        """Options of `schedule: uniform-log-snr`."""

        lowest: float = mk.Field(
            -4.4, ge=-14, lt=0, description="log(alpha / beta) where the spacing begins"
        )
        highest: float = mk.Field(
            6.2, gt=0, le=14, description="log(alpha / beta) at the last level above 0"
        )

    def __init__(self, options: Options) -> None:
        self.options = options

    def levels(self, steps: int) -> Tensor:
        """Return the levels [steps + 1] of a sampler's steps, from 1 falling to exactly 0."""
        low, high = self.options.lowest, self.options.highest
        return _to_both_ends((-torch.linspace(low, high, steps, dtype=torch.float64)).exp())


def _to_both_ends(ratios: Tensor) -> Tensor:
    """Return levels for ratios of noise to signal [steps], the first made 1, and 0 put behind."""
    inner = ratios[1:].atan() * (2 / pi)
    return torch.cat([inner.new_ones(1), inner, inner.new_zeros(1)])
