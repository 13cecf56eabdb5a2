"""Griffin-Lim: a wave for magnitudes, whose phases agree with each other.

Legend: b batch, t samples, k bins, n frames.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MOMENTUM = 0.99
"""How far phases are carried on: the alpha that Perraudin et al. (2013) found best."""


def griffin_lim(
    magnitude: Tensor,
    start: Tensor,
    *,
    window: Tensor,
    hop: int,
    rounds: int,
    momentum: float = MOMENTUM,
    known: Tensor | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Tensor:
    """Return waves [b, (n - 1) * hop] of about the magnitudes [b, k, n] of an STFT.

    The fast Griffin-Lim algorithm (Perraudin et al., 2013): phases begin as those of the waves
    `start` [b, (n - 1) * hop], and in each round become those of the wave they make, carried on by
    the momentum; with 0 it is the algorithm of Griffin and Lim (1984). Waves that begin with the
    samples `known` [b, m] keep them. `tick` is called after each round.
    """
    spectrum = _take_phases(magnitude, stft(start, window, hop))
    before = torch.zeros_like(spectrum)
    for _ in range(rounds):
        found = stft(_make_wave(spectrum, window, hop, known), window, hop)
        spectrum = _take_phases(magnitude, found + momentum * (found - before))
        before = found
        tick()
    return _make_wave(spectrum, window, hop, known)


def stft(wave: Tensor, window: Tensor, hop: int) -> Tensor:
    """Return the STFT [b, k, n] of waves [b, t], a frame around each hop; silence around them."""
    return torch.stft(
        wave.float(),
        len(window),
        hop,
        window=window,
        pad_mode="constant",
        return_complex=True,
    )


def inverse_stft(spectrum: Tensor, window: Tensor, hop: int) -> Tensor:
    """Return the waves [b, (n - 1) * hop] whose STFT is nearest to one [b, k, n]."""
    return torch.istft(spectrum, len(window), hop, window=window)


def _make_wave(spectrum: Tensor, window: Tensor, hop: int, known: Tensor | None) -> Tensor:
    wave = inverse_stft(spectrum, window, hop)
    return wave if known is None else torch.cat([known, wave[:, known.shape[1] :]], 1)


def _take_phases(magnitude: Tensor, spectrum: Tensor) -> Tensor:
    """Return magnitudes with the phases of a spectrum."""
    return spectrum * (magnitude / spectrum.abs().clamp(min=1e-12))
