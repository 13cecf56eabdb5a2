"""DPM-Solver++: multistep solvers over the clean signal that the network sees.

Legend: x the noised signal, v the velocity; alpha, beta the weights of signal and of noise.
"""

from __future__ import annotations

from math import isfinite, sqrt

from torch import Tensor

import mousai_kit.api as mk


class DPMSolverPlusPlus2M(mk.SteppedSampler):
    """DPM-Solver++(2M), second order, multistep (Lu et al., 2022, arXiv 2211.01095, algorithm 2).

    The first step and the last are of first order: there the log signal-to-noise ratio is infinite.
    """

    name = "dpmpp-2m"

    class Options(mk.SamplerOptions):
        """Options of `sampler: dpmpp-2m`."""

        steps: int = mk.Field(20, ge=1, le=10_000, description="evaluations of the network")

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; `generator` goes unused."""
        x, history = noise, MultistepHistory()
        for sigma, now, later in self.iterate_levels(noise):
            signal = history.extrapolate(now.alpha * x - now.beta * velocity(x, sigma), now, later)
            ratio = later.beta / now.beta
            x = ratio * x + (later.alpha - now.alpha * ratio) * signal
        return x


class DPMSolverPlusPlus2MSDE(mk.SteppedSampler):
    """SDE-DPM-Solver++(2M), second order, multistep, with fresh noise (Lu et al., 2022).

    Each step keeps exp(-eta h) of the noise that was there, where h is its length in
    log(alpha / beta), and draws the rest anew; the first, from pure noise, keeps none. With `eta` 0
    it is dpmpp-2m.
    """

    name = "dpmpp-2m-sde"

    class Options(mk.SamplerOptions):
        """Options of `sampler: dpmpp-2m-sde`."""

        eta: float = mk.Field(
            1.0, ge=0, le=1, description="fresh noise: 0 none, 1 as the reversed diffusion has"
        )

    def __init__(self, options: Options, *, schedule: mk.Schedule) -> None:
        super().__init__(options, schedule=schedule)
        self.eta = options.eta

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; with eta > 0, `generator` gives noise."""
        x, history = noise, MultistepHistory()
        for sigma, now, later in self.iterate_levels(noise):
            signal = history.extrapolate(now.alpha * x - now.beta * velocity(x, sigma), now, later)
            decay = (now.alpha * later.beta) / (later.alpha * now.beta)  # exp(-h)
            kept = decay**self.eta
            x = kept * (later.beta / now.beta) * x + later.alpha * (1 - decay * kept) * signal
            if self.eta > 0:
                x = x + later.beta * sqrt(1 - kept**2) * self.fresh_noise(x, generator)
        return x


class MultistepHistory:
    """The clean signal as seen at the level before, and how far away that level was."""

    def __init__(self) -> None:
        self.signal: Tensor | None = None
        self.stride = 0.0

    def extrapolate(self, signal: Tensor, now: mk.NoiseLevel, later: mk.NoiseLevel) -> Tensor:
        """Return the signal seen now, continued along a line to the middle of the step.

        D in algorithm 2: (1 + 1 / (2 r)) signal - 1 / (2 r) before, where r is the last stride in
        the log signal-to-noise ratio over this one; just `signal` where either stride is infinite.
        """
        stride = later.half_log_snr - now.half_log_snr
        before, last = self.signal, self.stride
        self.signal, self.stride = signal, stride
        if before is None or not (isfinite(stride) and isfinite(last)):
            return signal
        return signal + stride / (2 * last) * (signal - before)
