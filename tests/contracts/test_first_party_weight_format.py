"""The weight formats of this distribution keep to the contract."""

import yaml
from first_party import untested
from small_archinet import RECIPE

from mousai_kit.testing import WeightFormatContract
from mousai_kit_mousai.archinet import Archinet

STAGES = {name: stage["model"] for name, stage in yaml.safe_load(RECIPE)["stages"].items()}
AUTOENCODER = STAGES["autoencoder"]
MEL = AUTOENCODER["encoder"] | {"use": "mel", "n_fft": 64, "mels": 12}
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


def test_every_weight_format_has_a_suite():
    assert untested("weight_format", globals()) == []
