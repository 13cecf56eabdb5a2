"""How far spectra are apart, whatever their phases. n groups, c channels, t time."""

from __future__ import annotations

import torch
from torch import Tensor

import mousai_kit.api as mk


def stft_distance(ours: Tensor, theirs: Tensor, window: int, *, least: float = 1e-7) -> Tensor:
    """Return ||S - S'|| / ||S|| + mean |log S - log S'| [n] of audio [n, c, t] at one window.

    Equations 1 to 3 of Yamamoto et al. (2020). Magnitudes are at least `least`.
    """
    own, true = (_magnitude(wave, window, least) for wave in (ours, theirs))
    convergence = (true - own).norm(dim=1) / true.norm(dim=1).clamp(min=least)
    return convergence + (true.log() - own.log()).abs().mean(1)


def _magnitude(wave: Tensor, window: int, least: float) -> Tensor:
    """Return the magnitudes [n, ...] of audio [n, c, t], of all its channels in a row."""
    shape = torch.hann_window(window, device=wave.device)
    spectrum = mk.stft(wave.flatten(0, 1), shape, window // 4)
    return spectrum.abs().clamp(min=least).reshape(len(wave), -1)
