"""Editing: sampling from a signal that is there, around frames that stay, or in a circle.

Each is a way to ask the network, or a part of the schedule: any sampler goes down it as it is.

Legend: b batch, c channels, n frames; x the noised signal, v the velocity; alpha, beta the weights
of signal and of noise.
"""

from __future__ import annotations

from itertools import count

import torch
from torch import Tensor

from mousai_kit.core.component import Use
from mousai_kit.core.interfaces import (
    GenerationRequest,
    JumpVelocity,
    NoiseSource,
    Sampler,
    Schedule,
    Velocity,
)
from mousai_kit.models.partway import Partway

EDITING = ("source", "strength", "inpaint", "ranges", "extend", "loop")
"""The controls that a stage heeds which samples with an `EditedSampler`."""
GOLDEN = (5**0.5 - 1) / 2
"""Share of a circle that it is turned by: no turns fall together for long."""
SEEN = 0.25
"""Share of what a stage learned from that a window of a long clip sees of the window before."""
LEAST_NOISE = 1e-4
"""Noise is not told from a mixture that holds less of it."""


class EditedSampler:
    """A sampler that does what a request says: from noise, from a signal, around frames, in a loop.

    `sampler` is built over the part of `schedule` that begins at the request's strength.
    """

    def __init__(
        self, sampler: Use[Sampler], schedule: Schedule, request: GenerationRequest
    ) -> None:
        self.request, self.schedule = request, schedule
        self.level = 1.0 if request.source is None else request.strength
        self.partway = Partway(schedule, self.level) if self.level < 1 else None
        self.sampler = sampler.build(schedule=self.partway or schedule)

    def levels(self) -> Tensor:
        """Return the levels of the whole schedule at which the network is asked; see `Sampler`."""
        return self.level * self.sampler.levels()

    def sample(
        self,
        velocity: Velocity,
        noise: Tensor,
        *,
        source: Tensor | None = None,
        generator: NoiseSource | None = None,
    ) -> Tensor:
        """Return a sample [b, c, n] from noise [b, c, n], and from `source` [1 or b, c, m].

        The source is the request's, as the network knows signals; where n is more than m, its last
        frame is repeated.
        """
        if self.request.controls.loop:
            velocity = turn_around(velocity)
        keep = self.request.keep
        if source is None or (self.level == 1 and keep is None):
            return self.sampler.sample(velocity, noise, generator=generator)
        known = _lengthen(source, noise.shape[-1]).expand_as(noise)
        if self.level == 0:
            return known
        if keep is None:
            velocity = match_deviation(velocity, self.schedule, known)
            return self._sample_from(known, velocity, noise, generator)
        keep = _lengthen(keep.to(noise), noise.shape[-1])
        if (match := self._example(known, keep)) is not None:
            velocity = match_deviation(velocity, self.schedule, match, keep < 1)
        velocity = keep_frames(velocity, self.schedule, known, keep)
        made = self._sample_from(known, velocity, noise, generator)
        return torch.where(keep == 1, known, made)

    def _example(self, known: Tensor, keep: Tensor) -> Tensor | None:
        """Return what frames that are made may deviate as, at most; None: as they will.

        What is kept of a file; of a source's window, all of it. In a window that goes on from one
        made of text, guidance exaggerates both alike: held to the one before, each would deviate
        less than it.
        """
        if self.request.total is not None:
            return None if self.partway is None else known
        return known[..., keep == 1] if (keep == 1).any() else known

    def _sample_from(
        self, known: Tensor, velocity: Velocity, noise: Tensor, generator: NoiseSource | None
    ) -> Tensor:
        if self.partway is None:
            return self.sampler.sample(velocity, noise, generator=generator)
        x = self.partway.add_noise(known, noise)
        return self.sampler.sample(self.partway.scale_levels(velocity), x, generator=generator)


def keep_frames(velocity: Velocity, schedule: Schedule, known: Tensor, keep: Tensor) -> Velocity:
    """Return a velocity that leads to `known` [b, c, n] where `keep` [n] is 1.

    There v = alpha * noise - beta * known, exactly: whatever sampler asks lands on what is known,
    and the network sees it as noised as the rest (cf. Lugmayr et al., 2022, RePaint). Where `keep`
    is less, it is left from that much less noise on, so that what is made goes on from it
    (Levin & Fried, 2023, Differential Diffusion).
    """
    inner = JumpVelocity.of(velocity)

    def keeping(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
        alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
        noise = (x - alpha * known) / beta.clamp(min=LEAST_NOISE)
        stays = keep > 1 - sigma[:, None, None]
        return torch.where(stays, alpha * noise - beta * known, inner(x, sigma, target))

    return JumpVelocity(keeping, jumps=inner.jumps)


def match_deviation(
    velocity: Velocity, schedule: Schedule, known: Tensor, made: Tensor | None = None
) -> Velocity:
    """Return a velocity that sees signals which deviate no more than `known` [b, c, m] does.

    Guidance exaggerates: what is seen of frames `made` [n], by default of all, is brought back to
    what is known (cf. Lin et al., 2023, who take the unguided answer for that).
    """
    power, inner = known.square().mean((1, 2), keepdim=True), JumpVelocity.of(velocity)

    def match(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
        alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
        v = inner(x, sigma, target)
        signal = alpha * x - beta * v
        seen = signal if made is None else signal[..., made]
        scale = (power / seen.square().mean((1, 2), keepdim=True)).sqrt().clamp(max=1)
        return v + (1 - scale) * signal / beta.clamp(min=LEAST_NOISE)

    return JumpVelocity(match, jumps=inner.jumps)


def turn_around(velocity: Velocity) -> Velocity:
    """Return a velocity for signals whose end leads to their beginning.

    The network sees each x [b, c, n] turned by another share of the circle, so that where it ends
    is each time another place.
    """
    times, inner = count(), JumpVelocity.of(velocity)

    def turning(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
        shift = int(next(times) * GOLDEN % 1 * x.shape[-1])
        return inner(x.roll(-shift, -1), sigma, target).roll(shift, -1)

    return JumpVelocity(turning, jumps=inner.jumps)


def windows_to_fill(keep: Tensor, longest: int) -> list[range]:
    """Return windows of `longest` frames in which those that aren't kept [n] are made in turn.

    Each sees what is kept or made before it, in half of it where there is so much. All of it is one
    window where it is no longer.
    """
    frames, windows, done = len(keep), [], 0
    while len(missing := (keep[done:] < 1).nonzero()):
        first = done + int(missing[0])
        start = max(0, min(first - longest // 2, frames - longest))
        windows.append(range(start, min(frames, start + longest)))
        done = windows[-1].stop
    return windows


def continued_windows(frames: int, longest: int) -> list[range]:
    """Return windows of `longest` frames, each of which begins inside the one before.

    It sees a share `SEEN` of that, the last one more of it. What is no longer is one window.
    """
    longest = max(2, min(longest, frames))
    step = longest - max(1, round(SEEN * longest))
    starts = [*range(0, frames - longest, step), max(0, frames - longest)]
    return [range(start, min(frames, start + longest)) for start in starts]


def _lengthen(signal: Tensor, frames: int) -> Tensor:
    """Return a signal [..., m] of so many frames, the last one repeated."""
    places = torch.arange(frames, device=signal.device).clamp(max=signal.shape[-1] - 1)
    return signal[..., places]
