"""Output: whether what a stage makes is silent, far too loud, or no signal at all.

Legend: b clips, c channels, t time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mousai_kit.data import Clips
from mousai_kit.interfaces import Request
from mousai_kit.precision import autocast
from mousai_kit.seeds import derive
from mousai_kit.training.watching.watcher import Examiner

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

CLIPS = 2
"""Clips that are made at an examination."""
QUIET, LOUD = -30.0, 20.0
"""Levels in dB, relative to the real clips', beyond which something is wrong."""
CLIPPED = 0.1
"""Share of samples beyond full scale that is too much."""
NOTHING = 1e-10
"""Power, of signals around 1, that counts as none: it keeps decibels finite."""


class Output(Examiner):
    """Makes two short clips, and warns where they are not like real ones by far.

    A stage that encodes brings real clips back; one that reads text makes what their captions say.
    """

    name = "output"

    def examine(self, training: Training, clips: Clips) -> None:
        """Compare what is made with real clips."""
        real, made = pair(training, clips)
        audio = training.stage.below.stride == 1
        for thing, warning in faults(real, made, audio=audio):
            self.tell(training, thing, warning)


def faults(real: Tensor, made: Tensor, *, audio: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with signals that were made, [b, c, t] as the real ones, and a line."""
    if not bool(made.isfinite().all()):
        share = 1 - made.isfinite().float().mean().item()
        yield (
            "broken",
            (
                f"what this stage makes is not finite: {share:.0%} of it NaN or infinity; lower "
                "`learning_rate`, or use `precision: fp32`"
            ),
        )
        return
    own, theirs, what = level(made), level(real), "audio" if audio else "latents"
    clipped, clipped_too = (_clipped(it) if audio else 0.0 for it in (made, real))
    if own - theirs < QUIET:
        yield (
            "silent",
            (
                f"what this stage makes is silent: {own:.0f} dB, real {what} {theirs:.0f} dB; "
                "hear a demo, see whether the loss falls, and lower `learning_rate`"
            ),
        )
    elif own - theirs > LOUD or clipped > CLIPPED + clipped_too:
        beyond = f", {clipped:.0%} beyond full scale" if audio else ""
        yield (
            "loud",
            (
                f"what this stage makes is too loud: {own:.0f} dB{beyond}, real {what} "
                f"{theirs:.0f} dB; train longer, or lower `learning_rate`"
            ),
        )


@torch.no_grad()
def pair(training: Training, clips: Clips) -> tuple[Tensor, Tensor]:
    """Return real signals [b, c, t], and what the averaged weights make of the same, in float32."""
    stage, precision = training.stage, training.settings.precision
    count = min(CLIPS, len(clips))
    drawn = [clips.clip(index) for index in range(count)]
    real = torch.stack([clip.wave for clip in drawn]).to(training.learner.device)
    request = Request(
        prompts=[clip.text for clip in drawn],
        seeds=[derive(training.seed, "output", index) for index in range(count)],
        samples=real.shape[-1] * stage.below.stride,
    )
    with training.averaged(), autocast(training.learner.device, precision):
        latents = None if stage.space is None else stage.encode(real)
        made = stage.decode(latents, request)
    return real.float(), made.float()


def level(signal: Tensor) -> float:
    """Return the level in dB of what changes in time in a signal [b, c, t]; 0 dB is a power of 1.

    What is constant is not heard.
    """
    power = signal.var(-1, correction=0).mean()
    return 10 * float((power + NOTHING).log10())


def _clipped(audio: Tensor) -> float:
    """Return which share of samples lies beyond full scale."""
    return (audio.abs() > 1).float().mean().item()
