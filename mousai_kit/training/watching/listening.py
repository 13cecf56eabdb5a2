"""Listening: whether a decoder heeds its latent, and a generator its text."""

from __future__ import annotations

import math
from statistics import fmean, median, variance
from typing import TYPE_CHECKING

from mousai_kit.data import Clips
from mousai_kit.training.validation import Draws, draws
from mousai_kit.training.watching.watcher import Examiner, learned

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

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


class Listening(Examiner):
    """Warns where a network does as well when it is told another clip's latent or text.

    The same draws of clip and noise are compared, one by one. What is so on held-out clips need not
    be so on those that are learned from: then it has learned them by heart.
    """

    name = "listening"

    def examine(self, training: Training, clips: Clips) -> None:
        """Compare the loss when told the right thing with that when told a wrong one."""
        reads, held_out = training.stage.space is None, bool(training.held_out)
        found = training.draws if held_out and training.draws else _drawn(training, clips)
        gap = Gap.of(found, reads=reads)
        if gap is None or gap.heeded:
            return
        told = "text" if reads else "latent"
        own = _own(training, reads=reads) if held_out else None
        if own is not None and own.heeded:
            self.tell(
                training,
                "by heart",
                f"the {told} is heeded on clips that are learned from ({own}), but not on "
                f"held-out ones ({gap}): it is learned by heart; train on more music",
            )
        else:
            advice = ADVICE[told]
            self.tell(training, "ignored", f"the {told} seems to be ignored: {gap}; {advice}")


class Gap:
    """By how much the loss is higher when a wrong thing is told."""

    def __init__(self, condition: str, right: list[float], wrong: list[float]) -> None:
        each = [b - a for a, b in zip(right, wrong, strict=True)]
        self.condition = "another clip's" if condition == "other" else "none"
        self.right, self.wrong = fmean(right), fmean(wrong)
        self.middle, self.worse = median(each), sum(it > 0 for it in each)
        self.error = math.sqrt(variance(each) / len(each))
        self.count = len(each)

    @classmethod
    def of(cls, found: Draws, *, reads: bool) -> Gap | None:
        """Return what draws tell; None where they tell nothing.

        A single track has no other clip's; then what counts is being told nothing.
        """
        condition = "other" if "other" in found.losses else "none"
        counts = found.misled if reads and condition == "other" else [True] * len(found.misled)
        right, wrong = (
            [loss for loss, counted in zip(found.losses[it], counts, strict=True) if counted]
            for it in ("right", condition)
        )
        tells = len(right) >= FEWEST and all(map(math.isfinite, [*right, *wrong]))
        return cls(condition, right, wrong) if tells else None

    @property
    def heeded(self) -> bool:
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


def _drawn(training: Training, clips: Clips) -> Draws:
    """Return the losses of draws of some clips."""
    with training.averaged():
        return draws(
            training.stage, clips, seed=training.seed, precision=training.settings.precision
        )


def _own(training: Training, *, reads: bool) -> Gap | None:
    """Return what draws of clips that are learned from tell."""
    clips = learned(training)
    return Gap.of(_drawn(training, clips), reads=reads) if clips else None
