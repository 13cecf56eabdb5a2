"""The embeddings of this distribution keep to the contract."""

from functools import partial

import pytest
import small_listeners
from first_party import untested

from mousai_kit.testing import EmbeddingContract
from mousai_kit_metrics.audio_tagger import AudioTagger
from mousai_kit_metrics.clap import Clap
from mousai_kit_metrics.mel_statistics import MelStatistics


class TestMelStatistics(EmbeddingContract):
    component = MelStatistics


class TestMelStatisticsAtAHighRate(EmbeddingContract):
    component = MelStatistics
    options = {"bands": 8, "seconds": 0.25}
    sample_rate = 48_000


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the folder of each small network by name, saved at first need."""
    folders = {}

    def saved(name, save):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            save(folders[name])
        return str(folders[name])

    return saved


class TestClap(EmbeddingContract):
    component = Clap

    @pytest.fixture(autouse=True)
    def local(self, saved):
        self.options = {"model": saved("clap", small_listeners.clap)}


class TestFusedClap(EmbeddingContract):
    component = Clap

    @pytest.fixture(autouse=True)
    def local(self, saved):
        save = partial(small_listeners.clap, fusion=True)
        self.options = {"model": saved("fused", save)}


class TestSpectrogramTagger(EmbeddingContract):
    component = AudioTagger

    @pytest.fixture(autouse=True)
    def local(self, saved):
        model = saved("spectrogram", small_listeners.spectrogram_tagger)
        self.options = {"model": model, "seconds": 0.6}


class TestWaveTagger(EmbeddingContract):
    component = AudioTagger

    @pytest.fixture(autouse=True)
    def local(self, saved):
        model = saved("wave", small_listeners.wave_tagger)
        self.options = {"model": model, "posterior": "sigmoid"}


def test_every_embedding_has_a_suite():
    assert untested("embedding", globals()) == []
