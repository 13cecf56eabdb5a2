"""The metrics of this distribution keep to the contract."""

import pytest
import small_listeners
from first_party import untested

from mousai_kit.testing import MetricContract, SetMetricContract, TextMetricContract
from mousai_kit_conditioning.likeness import MelodyLikeness
from mousai_kit_metrics.clap_score import ClapScore
from mousai_kit_metrics.frechet import FrechetDistance
from mousai_kit_metrics.genre_confusion import GenreConfusion
from mousai_kit_metrics.inception_score import InceptionScore
from mousai_kit_metrics.kl_divergence import KLDivergence
from mousai_kit_metrics.nearest import NearestTrainingClip
from mousai_kit_mousai.metrics import LogMelDistance, MultiResolutionSTFT
from mousai_kit_mousai.musical_metrics import Attacks, Lines, Pitch


class TestLogMelDistance(MetricContract):
    component = LogMelDistance
    options = {"n_fft": 512, "hop": 256, "bands": 32}


class TestMultiResolutionSTFT(MetricContract):
    component = MultiResolutionSTFT
    options = {"windows": [128, 512]}


class TestLines(MetricContract):
    component = Lines


class TestPitch(MetricContract):
    component = Pitch


class TestAttacks(MetricContract):
    component = Attacks


class TestMelodyLikeness(MetricContract):
    component = MelodyLikeness


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    """Return what a recipe says of an audio tagger in a folder of this machine."""
    folder = tmp_path_factory.mktemp("tagger")
    small_listeners.spectrogram_tagger(folder)
    return {"use": "audio-tagger", "model": str(folder)}


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    """Return what a recipe says of a CLAP in a folder of this machine."""
    folder = tmp_path_factory.mktemp("clap")
    small_listeners.clap(folder)
    return {"use": "clap", "model": str(folder)}


class TestFrechetDistance(SetMetricContract):
    component = FrechetDistance
    options = {"embedding": {"use": "mel-statistics", "bands": 8, "seconds": 0.1}}


class TestFrechetDistanceFromHeldOutClips(SetMetricContract):
    component = FrechetDistance
    options = {"against": "validation"}


class TestFrechetDistanceInClap(SetMetricContract):
    component = FrechetDistance

    @pytest.fixture(autouse=True)
    def local(self, clap):
        self.options = {"embedding": clap}


class TestGenreConfusion(SetMetricContract):
    component = GenreConfusion


class TestGenreConfusionByName(SetMetricContract):
    component = GenreConfusion
    expected_failures = {
        "test_real_music_scores_better_than_noise": "a fresh network knows no genre by its name"
    }

    @pytest.fixture(autouse=True)
    def local(self, clap):
        self.options = {"embedding": clap, "classifier": "zero-shot"}


class TestNearestTrainingClip(SetMetricContract):
    component = NearestTrainingClip
    expected_failures = {
        "test_real_music_scores_better_than_noise": "noise is far from all training clips: no copy"
    }


class TestKLDivergence(SetMetricContract):
    component = KLDivergence

    @pytest.fixture(autouse=True)
    def local(self, tagger):
        self.options = {"embedding": tagger}


class TestInceptionScore(SetMetricContract):
    component = InceptionScore

    @pytest.fixture(autouse=True)
    def local(self, tagger):
        self.options = {"embedding": tagger}


class TestClapScore(TextMetricContract):
    component = ClapScore

    @pytest.fixture(autouse=True)
    def local(self, clap):
        self.options = {"embedding": clap}


def test_every_metric_has_a_suite():
    assert untested("metric", globals()) == []
