"""Windows: a long signal is made in overlapping stretches, and joined so that no seam is heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor

SHARED = 8
"""Neighbours share at least one part in so many of the longest window."""
GROWING_SHARED = 4
"""Where windows grow, neighbours share one part in so many of the shorter one."""
SHORTEST = 2
"""A window is never shorter than so many units: it must be longer than what it shares."""


def overlapping_windows(
    whole: int, longest: int | None, *, first: int | None = None
) -> list[range]:
    """Return windows of one length, of at most `longest` units, that cover `whole` units.

    Neighbours share an eighth of the longest window or a unit, or a little more. None, or a length
    that all of it fits into, gives one window. Of `first` units, if given, is the first window, and
    each is twice as long as the one before, until they are long: then sound begins soon.
    """
    longest = whole if longest is None else max(SHORTEST, longest)
    if first is not None:
        short = _growing_windows(whole, longest, max(SHORTEST, first))
        start = short[-1].stop - _overlap_after(short[-1]) if short else 0
        rest = overlapping_windows(whole - start, longest)
        return [*short, *(range(start + part.start, start + part.stop) for part in rest)]
    if whole <= longest:
        return [range(whole)]
    shared = max(1, longest // SHARED)
    count = -(-(whole - shared) // (longest - shared))
    length = -(-(whole + (count - 1) * shared) // count)
    starts = [number * (whole - length) // (count - 1) for number in range(count)]
    return [range(start, start + length) for start in starts]


def _growing_windows(whole: int, longest: int, first: int) -> list[range]:
    """Return windows shorter than `longest`, from `first` units on, each twice the one before.

    They leave at least as much of the whole as the last one is long.
    """
    windows: list[range] = []
    start, length = 0, first
    while length < longest and start + 2 * length <= whole:
        windows.append(range(start, start + length))
        start, length = windows[-1].stop - _overlap_after(windows[-1]), 2 * length
    return windows


def _overlap_after(window: range) -> int:
    """Return how much a window that grows shares with the longer one after it."""
    return max(1, len(window) // GROWING_SHARED)


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
