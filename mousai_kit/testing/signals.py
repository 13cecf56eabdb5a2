"""Signals: what suites give to components, and what shows that nothing was drawn at random.

Legend: b batch, c channels, t time in samples or frames.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from math import pi

import numpy as np
import torch
from torch import Generator, Tensor


def white(*shape: int, seed: int = 0) -> Tensor:
    """Return white noise of unit variance, the same for the same seed."""
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def chords(clips: int, channels: int, length: int, *, first: int = 0) -> Tensor:
    """Return clips [b, c, t] of two sines per channel, every clip's another chord."""
    moments = torch.arange(length, dtype=torch.float64)
    clip = torch.arange(first, first + clips, dtype=torch.float64)[:, None, None]
    channel = torch.arange(channels, dtype=torch.float64)[:, None]
    turns = 0.013 * (1 + 0.7 * clip) * (1 + 0.31 * channel) * moments
    wave = (2 * pi * turns).sin() + 0.5 * (2 * pi * 1.5 * turns + clip).sin()
    return (0.4 * wave).float()


def loudness(x: Tensor) -> float:
    """Return the root mean square."""
    return x.double().square().mean().sqrt().item()


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """Fail if what runs within draws from a generator of the whole process."""
    torchs, pythons, numpys = torch.get_rng_state(), random.getstate(), _numpys()
    yield
    rule = "; draw from what you are given (noise, generator, a seed of your own) instead"
    assert torch.equal(torch.get_rng_state(), torchs), f"it draws from torch's generator{rule}"
    assert random.getstate() == pythons, f"it draws from Python's generator{rule}"
    assert _numpys() == numpys, f"it draws from NumPy's generator{rule}"


def _numpys() -> tuple[object, ...]:
    """Return the state of NumPy's generator, as values that can be compared."""
    name, keys, *rest = np.random.get_state()
    return (name, bytes(np.asarray(keys)), *rest)
