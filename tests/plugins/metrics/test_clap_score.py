"""CLAP score: the cosine with the prompt."""

import pytest
import torch
from pydantic import ValidationError
from sampled_clips import Samples, Words, clips, measured_by

import mousai_kit.api as mk
from mousai_kit_metrics.clap_score import ClapScore


def test_it_is_the_cosine_of_clip_and_prompt():
    metric = measured_by(ClapScore, Words)
    made = clips([[3.0, 4.0, 0.0], [0.0, -2.0, 0.0], [0.0, 0.0, 1.0]])
    assert metric.score(made, ["aa", "b", "aabb"]) == pytest.approx([0.6, -1, 0])
    assert metric.label == "clap-score (words)"


def test_a_clip_has_the_mean_of_its_windows():
    made = clips([[[1.0, 0, 0], [0, 1.0, 0]]])
    assert measured_by(ClapScore, Words).score(made, ["a"]) == pytest.approx([0.5])


def test_no_clips_have_no_scores():
    assert measured_by(ClapScore, Words).score(mk.ClipSet([]), []) == []


def test_a_vector_of_nothing_fits_nothing():
    assert measured_by(ClapScore, Words).score(clips(torch.zeros(1, 3)), ["a"]) == [0]


def test_an_embedding_that_reads_no_text_is_refused():
    with pytest.raises(ValidationError) as raised:
        measured_by(ClapScore, Samples)
    (problem,) = raised.value.errors()
    assert problem["msg"] == (
        "Value error, must be an embedding that reads text, such as clap (got 'samples')"
    )
