"""KL divergence and inception score, of posteriors that the test says."""

import math

import pytest
import torch
from pydantic import ValidationError
from sampled_clips import Posteriors, Samples, clips, measured_by, real

import mousai_kit.api as mk
from mousai_kit_metrics.inception_score import InceptionScore
from mousai_kit_metrics.kl_divergence import KLDivergence

SURE_A, SURE_B, EVEN = [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]
LIKELY_A = [0.8, 0.2]


def kl(made, reference):
    return measured_by(KLDivergence, Posteriors).score(made, reference)


class TestKLDivergence:
    def test_a_clip_is_compared_with_the_real_clip_of_its_caption(self):
        train = clips([SURE_A, EVEN], ["one", "two"])
        found = kl(clips([EVEN, EVEN], ["one", "two"]), real(train))
        expected = (math.log(2) + 0) / 2
        assert found.value == pytest.approx(expected, abs=1e-5)
        assert found.note == "2 clips by caption, of 2 captions"

    def test_it_is_the_real_clip_whose_probabilities_weigh(self):
        train = clips([LIKELY_A], ["one"])
        found = kl(clips([EVEN], ["one"]), real(train))
        expected = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
        assert found.value == pytest.approx(expected, abs=1e-5)

    def test_what_the_real_clip_has_and_the_made_one_lacks_costs_much_and_not_endlessly(self):
        found = kl(clips([SURE_B], ["one"]), real(clips([SURE_A], ["one"])))
        assert found.value == pytest.approx(-math.log(1e-6), rel=1e-3)

    def test_chance_is_the_divergence_from_other_captions_clips(self):
        train = clips([EVEN, LIKELY_A], ["one", "two"])
        found = kl(clips([EVEN, LIKELY_A], ["one", "two"]), real(train))
        assert found.value == pytest.approx(0, abs=1e-5)
        forth = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
        back = 0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2)
        assert found.beside == {"chance": pytest.approx((forth + back) / 2, abs=1e-5)}

    def test_held_out_clips_of_a_caption_come_before_those_learned_from(self):
        found = kl(clips([EVEN], ["one"]), real(clips([SURE_A], ["one"]), clips([EVEN], ["one"])))
        assert found.value == pytest.approx(0, abs=1e-5)

    def test_windows_and_clips_of_one_caption_are_averaged(self):
        train = clips([[SURE_A, SURE_B], [EVEN, EVEN]], ["one", "one"])
        assert kl(clips([EVEN], [" one"]), real(train)).value == pytest.approx(0, abs=1e-5)

    def test_clips_of_other_prompts_are_left_out_and_told(self):
        found = kl(clips([EVEN, SURE_B], ["one", "?"]), real(clips([EVEN], ["one"])))
        assert found.value == pytest.approx(0, abs=1e-5)
        assert found.note == (
            "1 clip by caption, of 1 caption; 1 clip left out: no real clip has its caption"
        )

    def test_where_no_prompt_is_a_caption_genres_are_compared(self):
        train = clips([SURE_A, SURE_B, LIKELY_A], genres=["x", "x", "y"])
        held_out = clips([EVEN], genres=["x"])
        found = kl(clips([EVEN, LIKELY_A], ["?", "!"], genres=["x", "y"]), real(train, held_out))
        assert found.value == pytest.approx(0, abs=1e-5)
        assert found.beside["real music"] == pytest.approx(0, abs=1e-5)
        assert found.beside["chance"] > 0.1
        assert found.note == "2 clips by genre, of 2 genres"

    def test_neither_captions_nor_genres(self):
        with pytest.raises(mk.RequestError) as raised:
            kl(clips([EVEN], ["?"]), real(clips([EVEN], ["one"])))
        assert str(raised.value) == (
            "kl-divergence: no prompt is the caption of a real clip, nor asks for a genre that "
            "real clips have; name captions of the data in `evaluate.prompts`"
        )

    def test_no_clips(self):
        with pytest.raises(mk.RequestError) as raised:
            kl(mk.ClipSet([]), real(clips([EVEN], ["one"])))
        assert str(raised.value) == (
            "kl-divergence: needs 1 generated clip or more; raise `evaluate.generated` (got 0)"
        )


class TestInceptionScore:
    def score(self, made, reference=None):
        metric = measured_by(InceptionScore, Posteriors)
        return metric.score(made, reference or real())

    def test_clips_that_are_clear_and_all_different_score_their_number(self):
        assert self.score(clips(torch.eye(4))).value == pytest.approx(4, rel=1e-4)

    def test_clips_that_are_all_alike_score_1(self):
        for posterior in (SURE_A, EVEN):
            assert self.score(clips([posterior] * 3)).value == pytest.approx(1, rel=1e-4)

    def test_clips_that_are_unclear_score_less(self):
        clear, unclear = self.score(clips([SURE_A, SURE_B])), self.score(clips([LIKELY_A, EVEN]))
        assert 1 < unclear.value < 1.2 < clear.value

    def test_real_music_is_counted_by_as_many_clips(self):
        found = self.score(clips([SURE_A, SURE_B]), real(clips(torch.eye(2).repeat(20, 1))))
        assert found.beside["real music"] <= 2.001
        assert found.note == "2 generated clips, 2 real clips"

    def test_held_out_music_comes_first_where_there_is_enough(self):
        found = self.score(
            clips([SURE_A, SURE_B]), real(clips([EVEN] * 9), clips([SURE_A, SURE_B]))
        )
        assert found.beside["real music"] == pytest.approx(2, rel=1e-4)

    def test_a_single_clip_differs_from_none(self):
        with pytest.raises(mk.RequestError) as raised:
            self.score(clips([EVEN]))
        assert str(raised.value) == (
            "inception-score: needs 2 generated clips or more; raise `evaluate.generated` (got 1)"
        )


@pytest.mark.parametrize("metric", [KLDivergence, InceptionScore])
def test_an_embedding_that_is_no_classifier_is_refused(metric):
    with pytest.raises(ValidationError) as raised:
        measured_by(metric, Samples)
    (problem,) = raised.value.errors()
    assert problem["msg"] == (
        "Value error, must be an embedding that classifies, such as audio-tagger (got 'samples')"
    )
