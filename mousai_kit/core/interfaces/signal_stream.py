"""Signal stream: a signal that comes piece by piece, read in windows while it is still made.

Legend: b batch, c channels, n frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee

import torch
from torch import Tensor
from torch.nn.functional import pad


class SignalStream:
    """A signal [b, c, n] that comes in pieces: what is read pulls them, what is past is let go.

    Reading goes forwards: no `start` is less than one before. `pieces` are at least one.
    """

    def __init__(self, pieces: Iterable[Tensor]) -> None:
        self._pieces = iter(pieces)
        self._held: Tensor | None = None  # from frame `_first` on
        self._first = 0

    @classmethod
    def of(cls, signal: Tensor) -> SignalStream:
        """Return the stream of a signal [b, c, n] that is there already."""
        return cls([signal])

    def read(self, start: int, stop: int) -> Tensor:
        """Return the frames from `start` to `stop`, or to the end: [b, c, at most stop - start]."""
        while self._held is None or self._first + self._held.shape[-1] < stop:
            if not self._pull():
                break
        return self._from(start)[..., : stop - start]

    def window(self, start: int, stop: int) -> Tensor:
        """Return the frames from `start` to `stop` [b, c, stop - start]; the last one is repeated
        where the signal ends before.
        """
        found = self.read(start, stop)
        missing = stop - start - found.shape[-1]
        return pad(found, (0, missing), mode="replicate") if missing else found

    def rest(self) -> Tensor:
        """Return all that is not let go yet, once it has come."""
        return torch.cat([*self], -1)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield what is not let go yet, piece by piece."""
        if self._held is not None:
            held, self._held = self._held, None
            yield held
        yield from self._pieces

    def fork(self) -> SignalStream:
        """Return another reader of the same; what only one of them has read is held."""
        self._pieces, pieces = tee(self._pieces)
        other = SignalStream(pieces)
        other._held, other._first = self._held, self._first
        return other

    def _pull(self) -> bool:
        """Hold the next piece, too; return whether there was one."""
        if (piece := next(self._pieces, None)) is None:
            return False
        self._held = piece if self._held is None else torch.cat([self._held, piece], -1)
        return True

    def _from(self, start: int) -> Tensor:
        """Return what there is from a frame on, and let go of all before it."""
        assert self._held is not None, "a signal has one piece at least"
        assert start >= self._first, "a stream is read forwards"
        self._held = self._held[..., start - self._first :]
        self._first = start
        return self._held
