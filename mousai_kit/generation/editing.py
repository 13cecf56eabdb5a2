"""Edits: clips that begin from a file, fill in seconds of it or go on from it; and loops.

Legend: b clips, c channels, n frames of the top stage's signal, t samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mousai_kit.core.interfaces import GenerationRequest
from mousai_kit.core.seeds import derive_seed
from mousai_kit.generation.pieces import PieceReader, cross_fade, limit
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.editing import windows_to_fill

FADE = 0.04
"""Seconds over which what is made is faded into what is kept, inside what is made."""
SOFT = 0.2
"""Seconds over which what is made goes on from the latents of what was there."""
MARGIN = 1.0
"""Seconds that are decoded beside what is heard, so that no edge is heard."""


class Edit(ABC):
    """How the clips of a job are made: of how many samples, in which windows, from what."""

    keeps = False
    """Whether what is made stands beside audio of a file that stays as it is."""
    top: str | None = None
    """The stage from which it is made downwards; None is the highest."""

    def __init__(self, cascade: Cascade, samples: int) -> None:
        self.cascade, self.samples = cascade, samples
        self.space, self.stride = cascade.audio, cascade.top.input_space.stride

    @property
    def at_a_time(self) -> int:
        """Return how many samples the top stage makes at a time, at most."""
        return self.samples

    @property
    def length_played(self) -> int:
        """Return how many samples the stages below it are asked for at once."""
        return self.at_a_time

    @abstractmethod
    def stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the clips of a request [b, c, t] piece by piece."""

    def reports(self, request: GenerationRequest) -> int:
        """Return about how often `stream` will report progress."""
        return self.cascade.reports(request, top=self.top)

    def frames(self, seconds: float) -> int:
        """Return how many frames cover so many seconds."""
        return self.cascade.top.input_space.frames(round(seconds * self.space.sample_rate))

    def encode(self, wave: Tensor, request: GenerationRequest) -> Tensor:
        """Return the signal [1, c, n] of audio [c, t], which a request's clips begin from."""
        device = next(self.cascade.top.parameters()).device
        return self.cascade.encode_source(wave[None].to(device), window=request.window)


class Whole(Edit):
    """All of a clip is made: from text alone, or from a file's audio [c, t], noised."""

    def __init__(
        self, cascade: Cascade, samples: int, *, wave: Tensor | None = None, strength: float = 1.0
    ) -> None:
        super().__init__(cascade, samples)
        self.wave, self.strength = wave, strength

    def stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the clips of a request [b, c, t] piece by piece."""
        if self.wave is not None:
            source = self.encode(self.wave, request)
            request = replace(request, source=source, strength=self.strength)
        if request.controls.loop:
            yield from self._play_around(self.cascade.make_signal(request), request)
        else:
            yield from self.cascade.generate_stream(request)

    def _play_around(self, signal: Tensor, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the audio of a signal whose end leads to its beginning, which it is faded into."""
        frames, margin = signal.shape[-1], self.frames(MARGIN)
        around = torch.arange(-margin, frames + margin, device=signal.device) % frames
        longer = replace(request, samples=len(around) * self.stride)
        reader = PieceReader(self.cascade.play_signal(signal[..., around], longer))
        fade = min(round(FADE * self.space.sample_rate), request.samples // 2)
        reader.skip(margin * self.stride - fade)
        before = reader.take(fade)
        yield from reader.through(request.samples - fade)
        yield cross_fade(reader.take(fade), before)


class Through(Edit):
    """A file's audio [c, t], brought to the latents of stage `top` and back."""

    def __init__(self, cascade: Cascade, wave: Tensor, *, top: str) -> None:
        super().__init__(cascade, wave.shape[-1])
        self.wave, self.top = wave, top

    def stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the clip of a request [1, c, t] piece by piece."""
        device = next(self.cascade.stages[str(self.top)].parameters()).device
        wave = self.wave[None].to(device)
        latents = self.cascade.encode_to(wave, str(self.top), window=request.window)
        yield from self.cascade.decode_stream(latents, request, top=self.top)


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames that are made together, the first of which begins at sample `start`."""

    start: int
    frames: int
    ranges: Sequence[range]
    """Samples that are made anew, in order."""


class Patched(Edit):
    """Ranges of samples are made, the rest is a file's audio [c, t], bit for bit.

    Only what lies around a range is encoded: `longest` frames of it, as many as the top stage
    learned from at a time. What is longer is made in windows, each going on from the one before.
    """

    keeps = True

    def __init__(
        self,
        cascade: Cascade,
        samples: int,
        *,
        wave: Tensor,
        ranges: Sequence[range],
        longest: int,
        strength: float = 1.0,
    ) -> None:
        super().__init__(cascade, samples)
        self.wave, self.longest, self.strength = wave, longest, strength
        self.segments: list[Segment] = []
        for part in ranges:
            self._add(self._around(part))

    @property
    def at_a_time(self) -> int:
        """Return how many samples the top stage makes at a time, at most."""
        return min(self.longest, max(part.frames for part in self.segments)) * self.stride

    def stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the clips of a request [b, c, t] piece by piece."""
        done = 0
        for number, segment in enumerate(self.segments):
            part = self._audible(segment)
            reader = PieceReader(self._play(segment, part, request, number))
            place = segment.start + part.start * self.stride
            for made in segment.ranges:
                yield from self._file_pieces(done, made.start, request)
                reader.skip(made.start - place)
                yield from self._patch(reader, made)
                done = place = made.stop
        yield from self._file_pieces(done, self.samples, request)

    def reports(self, request: GenerationRequest) -> int:
        """Return about how often `stream` will report progress."""
        windows = sum(
            len(windows_to_fill(self._keep(part), self.longest)) for part in self.segments
        )
        total = windows * self.cascade.top.nfe
        if below := self.cascade.below_top:
            for part in self.segments:
                heard = replace(request, samples=len(self._audible(part)) * self.stride)
                total += self.cascade.reports(heard, top=below)
        return total

    def _around(self, part: range) -> Segment:
        """Return the segment in which a range is made: in its middle, or at its end."""
        stride, known = self.stride, self.wave.shape[-1]
        if part.start >= known:
            kept = min(self.longest // 2, known // stride)
            return Segment(
                known - kept * stride, kept + -(-len(part) // stride), [part]
            )  # so that frames end where the file does
        frames = max(self.longest, len(part) // stride + 1 + self.longest // 2)
        start = max(
            0, min((part.start + part.stop - frames * stride) // 2, known - frames * stride)
        )
        return Segment(start, min(frames, -(-(known - start) // stride)), [part])

    def _add(self, new: Segment) -> None:
        """Put a segment behind the others; join it with the last where both see the same."""
        if (
            self.segments
            and new.start < (last := self.segments[-1]).start + last.frames * self.stride
        ):
            stop = new.start + new.frames * self.stride
            frames = -(-(stop - last.start) // self.stride)
            self.segments[-1] = Segment(last.start, frames, [*last.ranges, *new.ranges])
        else:
            self.segments.append(new)

    def _keep(self, segment: Segment) -> Tensor:
        """Return how far each frame [n] stays what it is: 1, falling to 0 inside a range."""
        starts = segment.start + self.stride * torch.arange(segment.frames)
        keep = torch.ones(segment.frames)
        soft = self.frames(SOFT) + 1
        for made in segment.ranges:
            inside = ((starts + self.stride > made.start) & (starts < made.stop)).nonzero()[:, 0]
            first, last = int(inside[0]), int(inside[-1])
            from_start = inside - first + 1 if made.start > 0 else torch.full_like(inside, soft)
            to_end = (
                last - inside + 1 if made.stop < self.samples else torch.full_like(inside, soft)
            )
            keep[inside] = (1 - torch.minimum(from_start, to_end) / soft).clamp(min=0)
        return keep

    def _audible(self, segment: Segment) -> range:
        """Return the frames of a segment that are decoded: ranges, and what is beside them."""
        margin = self.frames(MARGIN)
        first = (segment.ranges[0].start - segment.start) // self.stride - margin
        last = -(-(segment.ranges[-1].stop - segment.start) // self.stride) + margin
        return range(max(0, first), min(segment.frames, last))

    def _play(
        self, segment: Segment, heard: range, request: GenerationRequest, number: int
    ) -> Iterator[Tensor]:
        """Yield the audio of the frames of a segment that are heard."""
        seeds = [derive_seed(seed, "segment", number) if number else seed for seed in request.seeds]
        request = replace(request, seeds=seeds, strength=self.strength)
        signal = self._fill(self._context(segment, request), self._keep(segment), request)
        decoded = replace(request, samples=len(heard) * self.stride)
        return self.cascade.play_signal(signal[..., heard.start : heard.stop], decoded)

    def _context(self, segment: Segment, request: GenerationRequest) -> Tensor:
        """Return what is known of a segment's signal [1, c, n]; the last frame is repeated.

        The encoder hears what is beside it, and the end of the file mirrored.
        """
        stride, margin = self.stride, self.frames(MARGIN)
        lead = min(margin, segment.start // stride)
        stop = min(segment.start + segment.frames * stride, self.wave.shape[-1])
        wave = self._mirror(segment.start - lead * stride, stop + margin * stride)
        signal = self.encode(wave, request)[..., lead : lead + segment.frames]
        missing = segment.frames - signal.shape[-1]
        return torch.cat([signal, signal[..., -1:].expand(-1, -1, missing)], -1)

    def _fill(self, known: Tensor, keep: Tensor, request: GenerationRequest) -> Tensor:
        """Return a signal [b, c, n] in which all that isn't kept is made, window by window."""
        signal = known.repeat(len(request.seeds), 1, 1)
        for number, part in enumerate(windows_to_fill(keep, self.longest)):
            place = slice(part.start, part.stop)
            seeds = [
                derive_seed(seed, "window", number) if number else seed for seed in request.seeds
            ]
            order = replace(
                request,
                seeds=seeds,
                samples=len(part) * self.stride,
                source=signal[..., place],
                keep=keep[place],
            )
            signal[..., place] = self.cascade.make_signal(order).to(signal)
            keep[place] = 1
        return signal

    def _patch(self, reader: PieceReader, made: range) -> Iterator[Tensor]:
        """Yield what is made of a range, faded into the file's audio where there is some beside."""
        fade = min(round(FADE * self.space.sample_rate), len(made) // 2)
        begin, end = (fade if made.start > 0 else 0), (fade if made.stop < self.samples else 0)
        if begin:
            before = self._mirror(made.start, made.start + begin)
            yield cross_fade(before, limit(reader.take(begin)))
        yield from map(limit, reader.through(len(made) - begin - end))
        if end:
            after = self._mirror(made.stop - end, made.stop)
            yield cross_fade(limit(reader.take(end)), after)

    def _file_pieces(self, start: int, stop: int, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the file's audio [b, c, t] between two samples, a second at a time."""
        for piece in self.wave[:, start:stop].split(self.space.sample_rate, -1):
            yield piece.expand(len(request.seeds), -1, -1)

    def _mirror(self, start: int, stop: int) -> Tensor:
        """Return the file's audio [c, t] between two samples; beyond its end it runs backwards."""
        known = self.wave.shape[-1]
        places = torch.arange(start, stop)
        beyond = (2 * known - 1 - places).clamp(min=0)
        return self.wave[:, torch.where(places < known, places, beyond)]
