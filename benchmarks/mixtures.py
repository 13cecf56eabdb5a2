"""How many evaluations samplers need on Gaussian mixtures, whose velocity is known exactly.

    python benchmarks/mixtures.py

For each sampler and spacing: the fewest evaluations with which it is as near the exact solution as
ddim with 50 even steps, for six mixtures; `-` where 60 are too few.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from playing import chosen
from torch import Tensor

from mousai_kit.core.interfaces import Sampler, Schedule

SCHEDULE: Schedule = chosen("schedule", "cosine").build()
SAMPLERS = ("ddim", "dpmpp-2m", "angle-2m", "heun")
LEVELS = (None, "cosine-spaced", "karras", "uniform-log-snr")
MOST = 60


@dataclass(frozen=True)
class Mixture:
    """Points [k, c] with noise of one deviation; the text means the first third of them."""

    features: int
    count: int
    deviation: float
    guidance: float

    def velocity(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the guided v for x [b, c, 1] at sigma [b]: v = (alpha x - signal) / beta."""
        alpha, beta = (float(weight[0]) for weight in SCHEDULE.weights(sigma))
        generator = torch.Generator().manual_seed(0)
        points = torch.randn(self.count, self.features, generator=generator, dtype=x.dtype)
        flat = x[..., 0]
        meant = self._signal(flat, points[: max(1, self.count // 3)], alpha, beta)
        whole = self._signal(flat, points, alpha, beta)
        guided = meant if self.guidance == 1 else whole + self.guidance * (meant - whole)
        return ((alpha * flat - guided) / beta)[..., None]

    def _signal(self, x: Tensor, points: Tensor, alpha: float, beta: float) -> Tensor:
        """Return the mean clean signal [b, c] of what x [b, c] may have been."""
        total = alpha**2 * self.deviation**2 + beta**2
        away = x[:, None] - alpha * points
        likely = (-away.square().sum(-1) / (2 * total)).softmax(-1)[..., None]
        return (likely * (points + alpha * self.deviation**2 / total * away)).sum(1)


MIXTURES = [
    Mixture(1, 9, 0.2, 1),
    Mixture(8, 27, 0.3, 1),
    Mixture(8, 9, 0.3, 5),
    Mixture(8, 9, 0.1, 5),
    Mixture(32, 12, 0.3, 5),
    Mixture(32, 30, 0.5, 2),
]


def main() -> None:
    """Measure and print."""
    columns = [fewest(mixture) for mixture in MIXTURES]
    for name, levels in columns[0]:
        told = " ".join(f"{column[name, levels] or '-':>4}" for column in columns)
        print(f"{name:12}{levels or 'linear':18}{told}")


def fewest(mixture: Mixture) -> dict[tuple[str, str | None], int | None]:
    """Return for samplers and spacings the fewest evaluations that do what ddim does with 50."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(64, mixture.features, 1, generator=generator, dtype=torch.float64)
    exact = sampler("angle-2m", 1000, None).sample(mixture.velocity, noise)

    def error(solver: Sampler) -> float:
        return float((solver.sample(mixture.velocity, noise) - exact).norm())

    def least(name: str, levels: str | None) -> int | None:
        solvers = (sampler(name, count, levels) for count in range(2, MOST + 1))
        return next((it.steps for it in solvers if error(it) <= allowed), None)

    allowed = error(sampler("ddim", 50, None))
    return {pair: least(*pair) for pair in product(SAMPLERS, LEVELS)}


def sampler(name: str, steps: int, levels: str | None) -> Sampler:
    """Return a sampler as a recipe would say it."""
    spec = {"use": name, "steps": steps, "levels": levels}
    built: Sampler = chosen("sampler", spec).build(schedule=SCHEDULE)
    return built


if __name__ == "__main__":
    main()
