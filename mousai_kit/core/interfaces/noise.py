"""Noise: randomness that is the same on every device and at every place in a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, prod

import torch
from torch import Generator, Tensor

from mousai_kit.core.seeds import derive_seed


class NoiseSource:
    """Randomness for a batch: one generator per clip, on the CPU unless training says otherwise.

    The same seed gives the same noise on every device and at every place in a batch.
    """

    def __init__(self, seeds: Sequence[int], *, device: torch.device | str = "cpu") -> None:
        self._generators = [Generator(device).manual_seed(seed % 2**63) for seed in seeds]

    def __len__(self) -> int:
        return len(self._generators)

    @property
    def device(self) -> torch.device:
        """Return where the generators are."""
        return self._generators[0].device

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal noise [b, *shape], float32, where the generators are."""
        return self._draw(torch.randn, shape)

    def uniform(self) -> Tensor:
        """Return one number in [0, 1) per clip [b], float32, where the generators are."""
        return self._draw(torch.rand, ())

    def _draw(self, random: Callable[..., Tensor], shape: Sequence[int]) -> Tensor:
        drawn = [random(shape, generator=each, device=each.device) for each in self._generators]
        return torch.stack(drawn)

    def like(self, x: Tensor) -> Tensor:
        """Return standard normal noise of the shape, type and device of x [b, ...]."""
        return self.normal(*x.shape[1:]).to(x)


class PositionalNoise(NoiseSource):
    """Noise that belongs to its place in time: a window hears what the whole signal has there.

    `places` holds a seed and the frame at which its signal begins, an item of the batch each. Every
    draw is made of blocks in time, each from a generator of its own, so that any stretch of it can
    be had without the rest.
    """

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        super().__init__([seed for seed, _ in places])
        self._places = list(places)
        self._draws = 0

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal noise [b, *shape], float32, on the CPU; time is last in shape."""
        drawn = [
            _stretch(derive_seed(seed, self._draws), shape, first) for seed, first in self._places
        ]
        self._draws += 1
        return torch.stack(drawn)


class VariedNoise(NoiseSource):
    """Noise near another's: cos(a) * own + sin(a) * other, with a = spread * pi / 2, clip by clip.

    As normal as they are where they are independent. `spreads` has a number in [0, 1] for each
    clip: 0 is its own noise to the bit, 1 the other. Uniform numbers are its own.
    """

    def __init__(self, own: NoiseSource, other: NoiseSource, spreads: Sequence[float]) -> None:
        super().__init__([])
        self._own, self._other = own, other
        self._angles = torch.tensor(spreads) * (pi / 2)

    def __len__(self) -> int:
        return len(self._own)

    @property
    def device(self) -> torch.device:
        """Return where the generators are."""
        return self._own.device

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal noise [b, *shape], float32, where the generators are."""
        own, other = self._own.normal(*shape), self._other.normal(*shape)
        angles = self._angles.to(own).view(-1, *[1] * len(shape))
        return torch.where(angles == 0, own, angles.cos() * own + angles.sin() * other)

    def uniform(self) -> Tensor:
        """Return one number in [0, 1) per clip [b], float32, where the generators are."""
        return self._own.uniform()


BLOCK = 2**16
"""Numbers in a block of placed noise, or about so many. Another block is another noise."""


def _stretch(seed: int, shape: Sequence[int], first: int) -> Tensor:
    """Return noise of a shape, whose last dimension begins at frame `first` of all there is."""
    *channels, frames = shape
    size = max(1, BLOCK // max(1, prod(channels)))
    result = torch.empty(*channels, frames)
    for block in range(first // size, -(-(first + frames) // size)):
        generator, start = Generator().manual_seed(derive_seed(seed, block)), block * size
        noise = torch.randn(*channels, size, generator=generator)
        begin, end = max(first, start), min(first + frames, start + size)
        result[..., begin - first : end - first] = noise[..., begin - start : end - start]
    return result
