"""Windows: a long signal is made in overlapping stretches, and joined so that no seam is heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor

SHARED = 8
"""Neighbours share at least one part in so many of the longest window."""
SHORTEST = 2
"""A window is never shorter than so many units: it must be longer than what it shares."""


def overlapping_windows(whole: int, longest: int | None) -> list[range]:
    """Return windows of one length, of at most `longest` units, that cover `whole` units.

    Neighbours share an eighth of the longest window or a unit, or a little more. None, or a length
    that all of it fits into, gives one window.
    """
    longest = whole if longest is None else max(SHORTEST, longest)
    if whole <= longest:
        return [range(whole)]
    shared = max(1, longest // SHARED)
    count = -(-(whole - shared) // (longest - shared))
    length = -(-(whole + (count - 1) * shared) // count)
    starts = [number * (whole - length) // (count - 1) for number in range(count)]
    return [range(start, start + length) for start in starts]


def scale_range(window: range, factor: int) -> range:
    """Return a window in units that are `factor` times finer."""
    return range(window.start * factor, window.stop * factor)


def overlap_add(windows: Sequence[range], signals: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield in pieces the signal [..., t] that its windows [..., n] make up, which come in order.

    What two neighbours share is faded from one to the other in its middle half. The outer quarters,
    where a network saw the window's end and not what follows, are the other's alone.
    """
    ends = chain((window.start for window in windows[1:]), [windows[-1].stop])
    before: Tensor | None = None
    for window, end, signal in zip(windows, ends, signals, strict=True):
        whole = signal if before is None else _fade_in(before, signal)
        yield whole[..., : end - window.start]
        before = whole[..., end - window.start :]


def _fade_in(before: Tensor, signal: Tensor) -> Tensor:
    """Return a signal [..., n] whose beginning is faded in from the end of the one before."""
    shared = before.shape[-1]
    place = torch.arange(shared, device=signal.device, dtype=signal.dtype) + 0.5
    weight = (2 * place / shared - 0.5).clamp(0, 1)
    return torch.cat([before.lerp(signal[..., :shared], weight), signal[..., shared:]], -1)
