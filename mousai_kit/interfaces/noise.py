"""Noise: randomness that is the same on every device and at every place in a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


class NoiseSource:
    """Randomness for a batch: one generator per clip, on the CPU unless training says otherwise.

    The same seed gives the same noise on every device and at every place in a batch.
    """

    def __init__(self, seeds: Sequence[int], *, device: torch.device | str = "cpu") -> None:
        self._generators = [Generator(device).manual_seed(seed % 2**63) for seed in seeds]

    def __len__(self) -> int:
        return len(self._generators)

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal noise [b, *shape], float32, where the generators are."""
        return torch.stack(
            [torch.randn(shape, generator=it, device=it.device) for it in self._generators]
        )

    def uniform(self) -> Tensor:
        """Return one number in [0, 1) per clip [b], float32, where the generators are."""
        return torch.stack(
            [torch.rand((), generator=it, device=it.device) for it in self._generators]
        )

    def like(self, x: Tensor) -> Tensor:
        """Return standard normal noise of the shape, type and device of x [b, ...]."""
        return self.normal(*x.shape[1:]).to(x)
