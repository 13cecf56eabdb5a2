"""Validation: the loss on held-out clips, told the right thing, a wrong one and nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from mousai_kit.data import Clips
from mousai_kit.interfaces import Condition, NoiseSource, Stage
from mousai_kit.precision import autocast
from mousai_kit.seeds import derive

CONDITIONS: tuple[Condition, ...] = ("right", "other", "none")
GROUP = 8
"""Clips evaluated at a time."""


@torch.no_grad()
def losses(
    stage: Stage, clips: Clips, *, seed: int, precision: str, at_least: int = 32
) -> dict[str, float]:
    """Return the loss with the right, another clip's and no condition, over at least 32 draws.

    The same noise serves all three, and the same seed gives the same noise. Neighbours in a batch
    are of different tracks: another clip's condition must be a wrong one. A single track has no
    other, which is then left out.
    """
    device = next(stage.parameters()).device
    order, tracks = _varied([clips.clip(index).source for index in range(len(clips))])
    group = min(len(clips), GROUP)
    rounds = -(-at_least // group)
    totals = {it: 0.0 for it in CONDITIONS if tracks > 1 or it != "other"}
    for number in range(rounds):
        places = [order[(number * group + i) % len(order)] for i in range(group)]
        drawn = [clips.clip(place, number) for place in places]
        signal = torch.stack([clip.wave for clip in drawn]).to(device)
        texts = [clip.text for clip in drawn]
        for condition in totals:
            noise = NoiseSource([derive(seed, "held out", number, i) for i in range(group)])
            with autocast(device, precision):
                loss = stage.loss(signal, texts, noise=noise, condition=condition)
            totals[condition] += loss.float().mean().item() / rounds
    return {str(condition): total for condition, total in totals.items()}


def _varied(sources: Sequence[str]) -> tuple[list[int], int]:
    """Return the places of clips in turn from each source, and how many sources there are."""
    seen: Counter[str] = Counter()
    turns = []
    for source in sources:
        turns.append(seen[source])
        seen[source] += 1
    return sorted(range(len(sources)), key=turns.__getitem__), len(seen)
