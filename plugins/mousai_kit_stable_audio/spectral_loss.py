"""How far audio is from audio in its spectra at several resolutions.

Legend: b clips, c channels, t samples, f bins of frequency, m frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor
from torch.nn.functional import pad

QUIET = 1e-3
"""Magnitudes that count as silence: a full-scale sine has some hundreds."""


def multi_resolution_stft(ours: Tensor, theirs: Tensor, windows: Sequence[int]) -> Tensor:
    """Return the mean distance per clip [b] of audio [b, c, t] over windows (in samples).

    Stereo is compared as sum and difference (Steinmetz et al., 2020, arXiv 2010.10291, section
    2.2): a distance of left and right alone does not see where a sound stands.
    """
    ours, theirs = _sum_and_difference(ours.float()), _sum_and_difference(theirs.float())
    return torch.stack([_distance(ours, theirs, window) for window in windows]).mean(0)


def spectrum(wave: Tensor, window: int) -> Tensor:
    """Return the complex spectrum [b, c, f, m] of audio [b, c, t], a hop being a quarter."""
    batch, channels, length = wave.shape
    shape = torch.hann_window(window, device=wave.device)
    whole = pad(wave, (0, max(0, window // 2 + 1 - length)))  # what is mirrored must be there
    found = torch.stft(
        whole.flatten(0, 1), window, hop_length=window // 4, window=shape, return_complex=True
    )
    return found.unflatten(0, (batch, channels))


def _distance(ours: Tensor, theirs: Tensor, window: int) -> Tensor:
    """Return ||S - S'|| / ||S|| + mean |log S - log S'| [b] (Yamamoto et al., 2020, eq. 1 to 3)."""
    own, true = (
        spectrum(wave, window).abs().clamp(min=QUIET).flatten(1) for wave in (ours, theirs)
    )
    convergence = (true - own).norm(dim=1) / true.norm(dim=1)
    return convergence + (true.log() - own.log()).abs().mean(1)


def _sum_and_difference(wave: Tensor) -> Tensor:
    """Return stereo [b, 2, t] as sum and difference, over sqrt(2); other audio as it is."""
    if wave.shape[1] != 2:
        return wave
    left, right = wave.unbind(1)
    return torch.stack([left + right, left - right], 1) / sqrt(2)
