"""The paper's sampler: a way from noise to a signal, over v = alpha * noise - beta * signal."""

from __future__ import annotations

from math import sqrt

from torch import Tensor

import mousai_kit.api as mk


class DDIM(mk.SteppedSampler):
    """DDIM in v-form, the paper's sampler (Song et al., 2021; Salimans & Ho, 2022)."""

    name = "ddim"

    class Options(mk.SamplerOptions):
        """Options of `sampler: ddim`."""

        eta: float = mk.Field(
            0.0, ge=0, le=1, description="fresh noise in each step: 0 none, 1 as in DDPM"
        )

    def __init__(self, options: Options, *, schedule: mk.Schedule) -> None:
        super().__init__(options, schedule=schedule)
        self.eta = options.eta

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; with eta > 0, `generator` gives noise."""
        x = noise
        for sigma, now, later in self.iterate_levels(noise):
            v = velocity(x, sigma)
            spread = self._noise_deviation(now, later)
            kept = sqrt(max(later.beta**2 - spread**2, 0.0))
            cos = now.alpha * later.alpha + now.beta * kept
            sin = now.beta * later.alpha - now.alpha * kept
            x = x - ((1 - cos) * x + sin * v)  # rounds a small change, not x, at every step
            if self.eta > 0:
                x = x + spread * self.fresh_noise(x, generator)
        return x

    def _noise_deviation(self, now: mk.NoiseLevel, later: mk.NoiseLevel) -> float:
        """Return the standard deviation of a step's fresh noise (Song et al., equation 16)."""
        lost = max(1 - (now.alpha / later.alpha) ** 2, 0.0)
        return self.eta * (later.beta / now.beta) * sqrt(lost)
