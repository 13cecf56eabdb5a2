"""Validation: the loss on held-out clips, told the right thing, a wrong one and nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mousai_kit.data import Clips
from mousai_kit.interfaces import Condition, NoiseSource, Stage
from mousai_kit.precision import autocast
from mousai_kit.seeds import derive

CONDITIONS: tuple[Condition, ...] = ("right", "other", "none")
GROUP = 8
"""Clips evaluated at a time."""
AT_LEAST = 32
"""Draws of a clip and its noise that are evaluated, at least."""


@dataclass(frozen=True, slots=True)
class Draws:
    """The loss of each draw of a clip and its noise, the same draws under each condition."""

    losses: dict[str, list[float]]
    misled: list[bool]
    """Which draws were told another text as the `other` one: captions may be alike."""

    @property
    def means(self) -> dict[str, float]:
        """Return the mean loss under each condition."""
        return {condition: sum(each) / len(each) for condition, each in self.losses.items()}


def losses(
    stage: Stage, clips: Clips, *, seed: int, precision: str, at_least: int = AT_LEAST
) -> dict[str, float]:
    """Return the loss with the right, another clip's and no condition, over at least 32 draws."""
    return draws(stage, clips, seed=seed, precision=precision, at_least=at_least).means


@torch.no_grad()
def draws(
    stage: Stage, clips: Clips, *, seed: int, precision: str, at_least: int = AT_LEAST
) -> Draws:
    """Return the loss of each draw with the right, another clip's and no condition.

    The same noise serves all three, and the same seed gives the same noise. Neighbours in a batch
    are of different tracks: another clip's condition must be a wrong one. A single track has no
    other, which is then left out.
    """
    device = next(stage.parameters()).device
    order, tracks = _varied([clips.clip(index).source for index in range(len(clips))])
    group = min(len(clips), GROUP)
    found: dict[str, list[float]] = defaultdict(list)
    misled: list[bool] = []
    for number in range(-(-at_least // group)):
        places = [order[(number * group + i) % len(order)] for i in range(group)]
        drawn = [clips.clip(place, number) for place in places]
        signal = torch.stack([clip.wave for clip in drawn]).to(device)
        texts = [clip.text for clip in drawn]
        misled += [text != texts[place - len(texts) + 1] for place, text in enumerate(texts)]
        for condition in CONDITIONS if tracks > 1 else ("right", "none"):
            noise = NoiseSource([derive(seed, "held out", number, i) for i in range(group)])
            with autocast(device, precision):
                loss = stage.loss(signal, texts, noise=noise, condition=condition)
            found[condition] += loss.double().tolist()
    return Draws(dict(found), misled)


def _varied(sources: Sequence[str]) -> tuple[list[int], int]:
    """Return the places of clips in turn from each source, and how many sources there are."""
    seen: Counter[str] = Counter()
    turns = []
    for source in sources:
        turns.append(seen[source])
        seen[source] += 1
    return sorted(range(len(sources)), key=turns.__getitem__), len(seen)
