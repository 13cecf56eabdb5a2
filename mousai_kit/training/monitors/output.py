"""Monitors of what a stage makes: how loud it is, and whether it heeds its latent or text.

Legend: b clips, c channels, t time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean, median, variance

import torch
from torch import Tensor

from mousai_kit.core.interfaces import GenerationRequest
from mousai_kit.core.seeds import derive_seed
from mousai_kit.data.datasets import ClipSource
from mousai_kit.models.device import autocast
from mousai_kit.training.callbacks.base import TrainerView
from mousai_kit.training.monitors.base import ValidationMonitor, few_training_clips
from mousai_kit.training.validation import ValidationLosses

CLIPS = 2
"""Clips that are made at an examination."""
QUIET, LOUD = -30.0, 20.0
"""Levels in dB, relative to the real clips', beyond which something is wrong."""
CLIPPED = 0.1
"""Share of samples beyond full scale that is too much."""
NOTHING = 1e-10
"""Power, of signals around 1, that counts as none: it keeps decibels finite."""


class SampleLevelMonitor(ValidationMonitor):
    """Makes two short clips, and warns where they are not like real ones by far.

    A stage that encodes brings real clips back; one that reads text makes what their captions say.
    """

    name = "output"

    def examine(self, training: TrainerView, clips: ClipSource) -> None:
        """Compare what is made with real clips."""
        real, made = pair(training, clips)
        audio = training.stage.input_space.stride == 1
        for thing, warning in faults(real, made, audio=audio):
            self.warn_once(training, thing, warning)


def faults(real: Tensor, made: Tensor, *, audio: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with signals that were made, [b, c, t] as the real ones, and a line."""
    if not bool(made.isfinite().all()):
        share = 1 - made.isfinite().float().mean().item()
        warning = (
            f"what this stage makes is not finite: {share:.0%} of it NaN or infinity; lower "
            "`learning_rate`, or use `precision: fp32`"
        )
        yield "broken", warning
        return
    own, theirs, what = level(made), level(real), "audio" if audio else "latents"
    clipped, clipped_too = (_clipped_share(item) if audio else 0.0 for item in (made, real))
    if own - theirs < QUIET:
        warning = (
            f"what this stage makes is silent: {own:.0f} dB, real {what} {theirs:.0f} dB; "
            "hear a demo, see whether the loss falls, and lower `learning_rate`"
        )
        yield "silent", warning
    elif own - theirs > LOUD or clipped > CLIPPED + clipped_too:
        beyond = f", {clipped:.0%} beyond full scale" if audio else ""
        warning = (
            f"what this stage makes is too loud: {own:.0f} dB{beyond}, real {what} "
            f"{theirs:.0f} dB; train longer, or lower `learning_rate`"
        )
        yield "loud", warning


@torch.no_grad()
def pair(training: TrainerView, clips: ClipSource) -> tuple[Tensor, Tensor]:
    """Return real signals [b, c, t], and what the averaged weights make of the same, in float32."""
    stage, precision = training.stage, training.settings.precision
    count = min(CLIPS, len(clips))
    drawn = [clips.clip(index) for index in range(count)]
    real = torch.stack([clip.wave for clip in drawn]).to(training.learner.device)
    request = GenerationRequest(
        prompts=[clip.text for clip in drawn],
        seeds=[derive_seed(training.seed, "output", index) for index in range(count)],
        samples=real.shape[-1] * stage.input_space.stride,
    )
    with training.ema_weights(), autocast(training.learner.device, precision):
        latents = None if stage.latent_space is None else stage.encode(real)
        made = stage.decode(latents, request)
    return real.float(), made.float()


def level(signal: Tensor) -> float:
    """Return the level in dB of what changes in time in a signal [b, c, t]; 0 dB is a power of 1.

    What is constant is not heard.
    """
    power = signal.var(-1, correction=0).mean()
    return 10 * float((power + NOTHING).log10())


def _clipped_share(audio: Tensor) -> float:
    """Return which share of samples lies beyond full scale."""
    return (audio.abs() > 1).float().mean().item()


ERRORS = 2.0
"""Standard errors by which the loss must be higher with a wrong latent or text."""
LEAST = 1e-4
"""Share of the loss by which it must be higher, in any case."""
FEWEST = 8
"""Draws that tell anything, at least."""
ADVICE = {
    "text": "see whether captions say what is heard, and train longer; guidance can't help",
    "latent": "lower `learning_rate`, or give the encoder more channels",
}


class ConditioningMonitor(ValidationMonitor):
    """Warns where a network does as well when it is told another clip's latent or text.

    The same draws of clip and noise are compared, one by one. What is so on held-out clips need not
    be so on those that are learned from: then it has learned them by heart.
    """

    name = "listening"

    def examine(self, training: TrainerView, clips: ClipSource) -> None:
        """Compare the loss when told the right thing with that when told a wrong one.

        Not of a stage that refines another's sound: that is what heeds the latent, and its loss is
        that of little noise, where the sound itself tells nearly all.
        """
        if training.stage.refines is not None:
            return
        reads, held_out = training.stage.hears_text, bool(training.held_out)
        found = training.draws if held_out and training.draws else training.draw_losses(clips)
        gap = ConditioningGap.of(found, reads=reads)
        if gap is None or gap.is_heeded:
            return
        told, own = "text" if reads else "latent", None
        if held_out and (own_clips := few_training_clips(training)):
            own = ConditioningGap.of(training.draw_losses(own_clips), reads=reads)
        if own is not None and own.is_heeded:
            self.warn_once(
                training,
                "by heart",
                f"the {told} is heeded on clips that are learned from ({own}), but not on "
                f"held-out ones ({gap}): it is learned by heart; train on more music",
            )
        else:
            advice = ADVICE[told]
            self.warn_once(training, "ignored", f"the {told} seems to be ignored: {gap}; {advice}")


class ConditioningGap:
    """By how much the loss is higher when a wrong thing is told."""

    def __init__(self, condition: str, right: list[float], wrong: list[float]) -> None:
        each = [b - a for a, b in zip(right, wrong, strict=True)]
        self.condition = "another clip's" if condition == "other" else "none"
        self.right, self.wrong = fmean(right), fmean(wrong)
        self.middle, self.worse = median(each), sum(loss > 0 for loss in each)
        self.error = math.sqrt(variance(each) / len(each))
        self.count = len(each)

    @classmethod
    def of(cls, found: ValidationLosses, *, reads: bool) -> ConditioningGap | None:
        """Return what draws tell; None where they tell nothing.

        A single track has no other clip's; then what counts is being told nothing.
        """
        condition = "other" if "other" in found.losses else "none"
        counts = found.misled if reads and condition == "other" else [True] * len(found.misled)
        right, wrong = (
            [loss for loss, counted in zip(found.losses[item], counts, strict=True) if counted]
            for item in ("right", condition)
        )
        tells = len(right) >= FEWEST and all(map(math.isfinite, [*right, *wrong]))
        return cls(condition, right, wrong) if tells else None

    @property
    def is_heeded(self) -> bool:
        """Return whether a wrong thing does harm, beyond chance: on the mean, or to most draws.

        A few draws that it does great harm to make the mean uncertain, not the harm.
        """
        least = LEAST * abs(self.right)
        mostly = self.worse - self.count / 2 > ERRORS * math.sqrt(self.count) / 2
        surely = self.wrong - self.right > ERRORS * self.error
        return (surely and self.wrong - self.right > least) or (mostly and self.middle > least)

    def __str__(self) -> str:
        return (
            f"loss {self.right:.4f} with the right one, {self.wrong:.4f} with {self.condition} "
            f"({self.wrong - self.right:+.4f}, +-{self.error:.4f})"
        )
