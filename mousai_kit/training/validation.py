"""Validation: the loss on held-out clips, told the right thing, a wrong one and nothing.

Waits: how long a training stands still because the next clips are not there yet.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from mousai_kit.core.console import Screen
from mousai_kit.core.interfaces import Condition, NoiseSource, Stage
from mousai_kit.core.seeds import derive_seed
from mousai_kit.data.datasets import ClipSource, Counted, audio_extractor, with_extras
from mousai_kit.data.loader import collate_extras
from mousai_kit.models.conditioning import loss_keywords
from mousai_kit.models.device import autocast
from mousai_kit.recipe import Precision

CONDITIONS: tuple[Condition, ...] = ("right", "other", "none")
GROUP = 8
"""Clips evaluated at a time."""
AT_LEAST = 32
"""Draws of a clip and its noise that are evaluated, at least."""


@dataclass(frozen=True, slots=True)
class ValidationLosses:
    """The loss of each draw of a clip and its noise, the same draws under each condition."""

    losses: dict[str, list[float]]
    misled: list[bool]
    """Which draws were told another text as the `other` one: captions may be alike."""

    @property
    def means(self) -> dict[str, float]:
        """Return the mean loss under each condition."""
        return {condition: sum(each) / len(each) for condition, each in self.losses.items()}


@torch.no_grad()
def draws(
    stage: Stage,
    clips: ClipSource,
    *,
    seed: int,
    precision: Precision,
    at_least: int = AT_LEAST,
    screen: Screen | None = None,
) -> ValidationLosses:
    """Return the loss of each draw with the right, another clip's and no text.

    Where clips tell extras, all are told as they are; then each in turn is another clip's, or left
    out, beside the right text: `melody other`, `melody none`. The same noise serves all, and the
    same seed gives the same noise. Neighbours in a batch are of different tracks: another clip's
    condition must be a wrong one. A single track has no other, which is then left out. A bar on
    the screen, if any, says how far it is.
    """
    device = next(stage.parameters()).device
    group, extract = min(len(clips), GROUP), audio_extractor(stage)
    rounds = -(-at_least // group)
    found: dict[str, list[float]] = defaultdict(list)
    misled: list[bool] = []
    total = len(clips) + rounds * group
    with (screen or Screen(quiet=True)).bar("validating", total, stays=False) as bar:
        read = Counted(clips, bar.advance).clip
        order, tracks = _vary_sources([read(index).source for index in range(len(clips))])
        for number in range(rounds):
            places = (order[(number * group + i) % len(order)] for i in range(group))
            drawn = [with_extras(read(place, number), extract) for place in places]
            signal = torch.stack([clip.wave for clip in drawn]).to(device)
            texts = [clip.text for clip in drawn]
            extras = collate_extras(drawn)
            misled += [text != texts[place - len(texts) + 1] for place, text in enumerate(texts)]
            seeds = [derive_seed(seed, "held out", number, i) for i in range(group)]
            for name, condition, told in _ways(extras, others=tracks > 1):
                noise, more = NoiseSource(seeds), loss_keywords(stage, told)
                with autocast(device, precision):
                    loss = stage.loss(signal, texts, noise=noise, condition=condition, **more)
                found[name] += loss.double().tolist()
    return ValidationLosses(dict(found), misled)


def _ways(
    extras: Mapping[str, Tensor], *, others: bool
) -> Iterator[tuple[str, Condition, dict[str, Tensor]]]:
    """Yield what draws are told: its name, the text's condition, and the extras [b, ...]."""
    for condition in CONDITIONS if others else ("right", "none"):
        yield condition, condition, dict(extras)
    for name, data in extras.items():
        if others:
            yield f"{name} other", "right", {**extras, name: data.roll(-1, 0)}
        without = {key: item for key, item in extras.items() if key != name}
        yield f"{name} none", "right", without


def _vary_sources(sources: Sequence[str]) -> tuple[list[int], int]:
    """Return the places of clips in turn from each source, and how many sources there are."""
    seen: Counter[str] = Counter()
    turns = []
    for source in sources:
        turns.append(seen[source])
        seen[source] += 1
    return sorted(range(len(sources)), key=turns.__getitem__), len(seen)


class DataWaitTimer:
    """The seconds that were waited. The first batch is not counted: workers have to start."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._first = True

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Count the time until a batch has come."""
        started = time.monotonic()
        yield
        self.seconds += 0.0 if self._first else time.monotonic() - started
        self._first = False
