"""MetricContract: nothing scores better than the real thing, and more noise scores worse.

Legend: b batch, c channels, t time in samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from mousai_kit.core.interfaces import Metric
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.signals import chords, nothing_drawn, white

LEVELS = (0.0, 0.01, 0.1, 1.0)
"""How much noise is added, as a part of full scale."""


class MetricContract(Contract):
    """What every metric keeps to."""

    interface: ClassVar = Metric
    component: ClassVar[type[Metric]]
    sample_rate: ClassVar[int] = 16_000
    """Of the sounds that are scored, in Hz."""

    def metric(self) -> Any:
        """Return the metric."""
        return self.build(sample_rate=self.sample_rate)

    def real(self, clips: int = 2, channels: int = 2, seconds: float = 0.5) -> Tensor:
        """Return clips of a chord in a little noise [b, c, t]."""
        length = round(seconds * self.sample_rate)
        return 0.5 * chords(clips, channels, length) + 0.003 * white(clips, channels, length)

    def worse(self, score: float, than: float) -> bool:
        """Whether a score is worse than another, by the metric's own word."""
        return score > than if self.component.better == "lower" else score < than

    @pytest.mark.parametrize("clips", [1, 3])
    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("seconds", [0.1, 1.0])
    def test_a_score_is_a_finite_float(self, clips: int, channels: int, seconds: float) -> None:
        real = self.real(clips, channels, seconds)
        _check(self.metric().score(0.1 * white(*real.shape, seed=1), real))

    def test_silence_has_a_finite_score(self) -> None:
        metric, real = self.metric(), self.real()
        silence = torch.zeros_like(real)
        for pair in ((silence, real), (real, silence), (silence, silence)):
            _check(metric.score(*pair))

    def test_identical_sets_score_best(self) -> None:
        metric, real = self.metric(), self.real()
        best = metric.score(real.clone(), real)
        _check(best)
        for name, other in _others(real):
            score = metric.score(other, real)
            assert self.worse(score, best), f"{name} scores {score:g}, the real thing {best:g}"

    def test_more_noise_scores_worse(self) -> None:
        metric, real = self.metric(), self.real()
        noise = white(*real.shape, seed=1)
        scores = [metric.score(real + level * noise, real) for level in LEVELS]
        for (level, less), (louder, more) in pairwise(zip(LEVELS, scores, strict=True)):
            assert self.worse(more, less), (
                f"noise of {louder} scores {more:g}, noise of {level} {less:g}; "
                f"'{self.component.better}' is said to be better"
            )

    def test_every_clip_channel_and_moment_counts(self) -> None:
        metric, real = self.metric(), self.real()
        best = metric.score(real.clone(), real)
        half = real.shape[-1] // 2
        parts: dict[str, Any] = {
            "first clip": 0,
            "last clip": -1,
            "first channel": (slice(None), 0),
            "last channel": (slice(None), -1),
            "first half": (..., slice(half)),
            "second half": (..., slice(half, None)),
        }
        for name, part in parts.items():
            spoilt = real.clone()
            spoilt[part] += 0.1 * white(*spoilt[part].shape, seed=1)
            score = metric.score(spoilt, real)
            assert self.worse(score, best), f"noise in the {name} goes unheard"

    def test_the_sounds_are_left_as_they_were(self) -> None:
        real = self.real()
        made = real + 0.1 * white(*real.shape, seed=1)
        given = made.clone(), real.clone()
        self.metric().score(made, real)
        assert torch.equal(made, given[0]), "it changes the sounds that were made"
        assert torch.equal(real, given[1]), "it changes the sounds to compare with"

    def test_the_order_of_the_pairs_does_not_matter(self) -> None:
        real = self.real(3)
        made = real + white(*real.shape, seed=1) * torch.tensor([0.01, 0.1, 0.5])[:, None, None]
        score = self.metric().score(made, real)
        turned = self.metric().score(made.flip(0), real.flip(0))
        assert turned == pytest.approx(score, rel=1e-3, abs=1e-4)

    def test_the_same_sounds_score_the_same_by_chance_of_nothing(self) -> None:
        metric, real = self.metric(), self.real()
        made = real + 0.1 * white(*real.shape, seed=1)
        with nothing_drawn():
            score = metric.score(made, real)
        metric.score(torch.zeros_like(real), real)
        assert metric.score(made, real) == score, "it remembers what it has scored before"
        assert self.metric().score(made, real) == score


def _others(real: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield what is not the real thing."""
    yield "noise", 0.3 * white(*real.shape, seed=2)
    yield "silence", torch.zeros_like(real)
    yield "another chord", 0.5 * chords(len(real), *real.shape[1:], first=7)
    yield "the same sound with noise", real + 0.05 * white(*real.shape, seed=3)


def _check(score: Any) -> None:
    assert isinstance(score, float), f"a score is a float (got {score!r})"
    assert abs(score) < float("inf"), f"a score is finite (got {score})"
