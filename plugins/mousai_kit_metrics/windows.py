"""Windows: the stretches of a clip that an embedding makes a vector of each.

Legend: t time, in samples or frames; n windows.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cut_windows(signal: Tensor, length: int) -> Tensor:
    """Return windows [..., n, length] that cover a signal [..., t]; a shorter one is one window.

    As few as can be: they begin at even distances and overlap where t is no multiple of `length`.
    """
    t = signal.shape[-1]
    if t <= length:
        return signal[..., None, :]
    n = -(-t // length)
    starts = [number * (t - length) // (n - 1) for number in range(n)]
    return torch.stack([signal[..., start : start + length] for start in starts], -2)
