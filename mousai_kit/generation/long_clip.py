"""Long clips: longer than what the top stage learned from, made in windows and played meanwhile.

Legend: b clips, c channels, n frames of the top stage's signal, t samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from mousai_kit.core.interfaces import GenerationRequest, SignalStream
from mousai_kit.generation.editing import SOFT, Edit
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.editing import SEEN, continued_windows

FIRST = 1.5
"""Seconds that are played first: the lowest stage's windows grow from there."""


class LongClip(Edit):
    """A clip of which the top stage makes `longest` frames at a time, as many as it learned from.

    From text alone, or from a file's audio [c, t], noised. Each window goes on from the one before,
    which is played meanwhile: nothing is held of all of the clip but such a file's audio.
    """

    def __init__(
        self,
        cascade: Cascade,
        samples: int,
        *,
        longest: int,
        wave: Tensor | None = None,
        strength: float = 1.0,
    ) -> None:
        super().__init__(cascade, samples)
        self.wave, self.strength = wave, strength
        self.windows = continued_windows(cascade.top.input_space.frames(samples), longest)

    @property
    def at_a_time(self) -> int:
        """Return how many samples the top stage makes at a time, at most."""
        return len(self.windows[0]) * self.stride

    @property
    def length_played(self) -> int:
        """Return how many samples the stages below it play, in their own windows."""
        return self.samples

    def stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the clips of a request [b, c, t] piece by piece."""
        source = None
        if self.wave is not None:
            source = self.encode(self.wave, request)
            request = replace(request, strength=self.strength)
        signal = SignalStream(self._signal(request, source))
        yield from self.cascade.play_signal(signal, self._with_short_start(request))

    def reports(self, request: GenerationRequest) -> int:
        """Return about how often `stream` will report progress."""
        total = len(self.windows) * self.cascade.top.nfe
        if below := self.cascade.below_top:
            total += self.cascade.reports(self._with_short_start(request), top=below)
        return total

    def _with_short_start(self, request: GenerationRequest) -> GenerationRequest:
        """Return a request whose first sound comes soon."""
        return replace(request, first_window=round(FIRST * self.space.sample_rate))

    def _signal(self, request: GenerationRequest, source: Tensor | None) -> Iterator[Tensor]:
        """Yield what each window adds to the signal [b, c, n]; `source` is that of all of it."""
        request, start, done = replace(request, total=request.samples), 0, 0
        before: Tensor | None = None
        for window in self.windows:
            known = None if source is None else source[..., window.start : window.stop]
            keep = None
            if before is not None:
                seen = before.shape[-1] - (window.start - start)
                known = _begin(before[..., before.shape[-1] - seen :], known)
                keep = _fading_keep(len(window), done - window.start, seen)
            place, size = window.start * self.stride, len(window) * self.stride
            order = replace(request, start=place, samples=size, source=known, keep=keep)
            before, start = self.cascade.make_signal(order), window.start
            last = window.stop == self.windows[-1].stop
            stop = window.stop - (0 if last else self._remade_frames(window))
            yield before[..., done - start : stop - start]
            done = stop

    def _remade_frames(self, window: range) -> int:
        """Return how many frames at a window's end, beyond which it saw none, are made again."""
        return min(self.frames(SOFT), round(SEEN * len(window)) // 2)


def _fading_keep(frames: int, kept: int, seen: int) -> Tensor:
    """Return how far frames [n] stay as they are: 1 where they are kept, falling to 0 at `seen`."""
    place = torch.arange(frames)
    return (1 - (place - kept + 1) / (seen - kept + 1)).clamp(0, 1)


def _begin(before: Tensor, known: Tensor | None) -> Tensor:
    """Return what is known of a window: frames [b, c, m], and of a source [1, c, n] the others."""
    if known is None:
        return before
    rest = known[..., before.shape[-1] :].expand(len(before), -1, -1)
    return torch.cat([before, rest.to(before)], -1)
