"""SetMetricContract and TextMetricContract: figures of many clips, and of clips and their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch

from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces import (
    Clip,
    ClipSet,
    Matrix,
    RealClips,
    SetMetric,
    SetScore,
    TextMetric,
)
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.signals import chords, nothing_drawn, white

GENRES = ("low chord", "high chord")


class ClipsContract(Contract):
    """What suites of metrics of many clips share."""

    sample_rate: ClassVar[int] = 16_000
    """Of the clips, in Hz."""
    seconds: ClassVar[float] = 0.5
    """Length of a clip."""

    def metric(self) -> Any:
        """Return the metric."""
        return self.build(sample_rate=self.sample_rate)

    def clips(self, count: int = 8, *, seed: int = 0, noise: float = 0.01) -> list[Clip]:
        """Return clips of chords of two genres, in so much noise."""
        return [self._clip(number, seed=seed, noise=noise) for number in range(count)]

    def _clip(self, number: int, *, seed: int, noise: float) -> Clip:
        genre, length = number % 2, round(self.seconds * self.sample_rate)
        first = 12 * genre + (number + seed) % 5
        wave = 0.4 * chords(1, 2, length, first=first)[0]
        wave = wave + noise * white(1, 2, length, seed=100 * seed + number)[0]
        name = f"{seed}-{number}.flac"
        return Clip(wave, GENRES[genre], source=name, facts={"genre": GENRES[genre]})


def _waves(clips: Sequence[Clip]) -> list[torch.Tensor]:
    return [clip.wave.clone() for clip in clips]


def _same(clips: Sequence[Clip], waves: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(clip.wave, wave) for clip, wave in zip(clips, waves, strict=True))


class SetMetricContract(ClipsContract):
    """What every metric of sets keeps to."""

    interface: ClassVar = SetMetric
    component: ClassVar[type[SetMetric]]

    def real(self) -> RealClips:
        """Return music to compare with."""
        return RealClips(ClipSet(self.clips(12, seed=1)), ClipSet(self.clips(8, seed=2)))

    def score(self, clips: Sequence[Clip]) -> SetScore:
        """Return the score of clips."""
        found: SetScore = self.metric().score(ClipSet(clips), self.real())
        return found

    def test_a_score_is_finite_and_its_tables_are_shares(self) -> None:
        score = self.score(self.clips())
        assert isinstance(score, SetScore)
        for name, value in {"score": score.value, **score.beside}.items():
            assert isinstance(value, float), f"{name} is a float (got {value!r})"
            assert abs(value) < float("inf"), f"{name} is finite (got {value})"
        for matrix in score.matrices:
            _check_matrix(matrix)

    def test_real_music_scores_better_than_noise(self) -> None:
        real, noise = self.score(self.clips(seed=2)), self.score(self.clips(noise=0.5))
        lower = self.component.better == "lower"
        better = real.value < noise.value if lower else real.value > noise.value
        assert better, f"real music scores {real.value:g}, noise {noise.value:g}"

    def test_the_order_of_the_clips_does_not_matter(self) -> None:
        clips = self.clips()
        score, turned = self.score(clips).value, self.score(clips[::-1]).value
        assert turned == pytest.approx(score, rel=1e-3, abs=1e-5)

    def test_few_clips_are_scored_or_refused_in_a_line(self) -> None:
        none = ClipSet([])
        for clips, real in (
            (self.clips(1), self.real()),
            ([], self.real()),
            (self.clips(), RealClips(none, none)),
        ):
            try:
                score = self.metric().score(ClipSet(clips), real)
            except RequestError as error:
                told = str(error)
            else:
                told = f"{score.value:g}"
            assert "\n" not in told
            assert told not in ("nan", "inf", "-inf")

    def test_the_same_clips_score_the_same_by_chance_of_nothing(self) -> None:
        clips, real, metric = self.clips(), self.real(), self.metric()
        waves = _waves(clips)
        with nothing_drawn():
            score = metric.score(ClipSet(clips), real).value
        metric.score(ClipSet(self.clips(noise=0.5)), real)
        assert metric.score(ClipSet(clips), real).value == score, "it remembers other clips"
        assert _same(clips, waves), "it changes the sounds"

    def test_its_label_names_the_embeddings(self) -> None:
        metric = self.metric()
        for embedding in metric.embeddings:
            assert embedding.name in metric.label


class TextMetricContract(ClipsContract):
    """What every metric of clips and texts keeps to."""

    interface: ClassVar = TextMetric
    component: ClassVar[type[TextMetric]]

    def test_each_clip_has_a_finite_score(self) -> None:
        clips = self.clips(3)
        scores = self.metric().score(ClipSet(clips), [clip.text for clip in clips])
        assert isinstance(scores, list)
        assert len(scores) == len(clips)
        assert all(isinstance(one, float) and abs(one) < float("inf") for one in scores), scores

    def test_clips_do_not_influence_each_other(self) -> None:
        clips, metric = self.clips(4), self.metric()
        together = metric.score(ClipSet(clips), GENRES * 2)
        alone = metric.score(ClipSet(clips[2:3]), [GENRES[0]])
        assert alone == pytest.approx(together[2:3], rel=1e-3, abs=1e-5)

    def test_another_text_has_another_score(self) -> None:
        clips, metric = self.clips(2), self.metric()
        first, second = (metric.score(ClipSet(clips), [text] * 2) for text in GENRES)
        assert first != second, "the text goes unread"

    def test_the_same_clips_score_the_same_by_chance_of_nothing(self) -> None:
        clips, metric = self.clips(2), self.metric()
        waves = _waves(clips)
        with nothing_drawn():
            scores = metric.score(ClipSet(clips), GENRES)
        assert metric.score(ClipSet(clips), GENRES) == scores
        assert _same(clips, waves), "it changes the sounds"


def _check_matrix(matrix: Matrix) -> None:
    shape = len(matrix.rows), len(matrix.columns)
    assert len(matrix.shares) == shape[0], f"a row of shares for each of {matrix.rows}"
    for name, row in zip(matrix.rows, matrix.shares, strict=True):
        assert len(row) == shape[1], f"a share for each of {matrix.columns}"
        total = sum(row)
        assert total == pytest.approx(1, abs=1e-4) or total == 0, f"{name}: {total:g} in all"
