"""The weight formats of this distribution keep to the contract."""

import yaml
from first_party import untested
from small_archinet import RECIPE
from small_stable_audio import RECIPE as STABLE_AUDIO

from mousai_kit.testing import WeightFormatContract
from mousai_kit_mousai.archinet.format import Archinet
from mousai_kit_mousai.native_format import NativeFormat
from mousai_kit_stable_audio.weight_format import StableAudio

STAGES = {name: stage["model"] for name, stage in yaml.safe_load(RECIPE)["stages"].items()}
OF_STABLE_AUDIO = {
    name: stage["model"] for name, stage in yaml.safe_load(STABLE_AUDIO)["stages"].items()
}
AUTOENCODER = STAGES["autoencoder"]
MEL = AUTOENCODER["encoder"] | {"use": "mel", "n_fft": 64, "mels": 12}
SCRATCH = {"use": "t5-scratch", "features": 16, "layers": 1, "heads": 2, "feed_forward": 16}
GENERATOR = STAGES["generator"] | {"text": {"use": "t5", "features": 16, "tokens": 16}}


class TestArchinet(WeightFormatContract):
    component = Archinet
    models = [AUTOENCODER, AUTOENCODER | {"encoder": MEL}, GENERATOR]
    unfit = [
        {"use": "one-convolution"},
        AUTOENCODER | {"domain": "mdct"},
        GENERATOR | {"text": "t5-scratch"},
        GENERATOR | {"schedule": "shifted-cosine"},
    ]


class TestStableAudio(WeightFormatContract):
    component = StableAudio
    models = [*OF_STABLE_AUDIO.values()]
    unfit = [
        {"use": "one-convolution"},
        OF_STABLE_AUDIO["autoencoder"] | {"adversary": {}},
        OF_STABLE_AUDIO["generator"] | {"without_text": "learned"},
        GENERATOR,
    ]


class TestOwnNames(WeightFormatContract):
    component = NativeFormat
    models = [AUTOENCODER, GENERATOR, GENERATOR | {"text": SCRATCH}, {"use": "one-convolution"}]
    expected_failures = {
        "test_a_model_that_it_can_not_express_has_faults": "every tensor has our own name"
    }


def test_every_weight_format_has_a_suite():
    assert untested("weight_format", globals()) == []
