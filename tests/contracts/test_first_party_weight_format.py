"""The weight formats of this distribution keep to the contract."""

import yaml
from first_party import untested
from small_archinet import RECIPE

import mousai_kit.api as mk
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


class OwnNames(mk.WeightFormat):
    """Our own names, behind `stage.`."""

    name = "own-names"

    def faults(self, model):
        return ()

    def layouts(self, model, stage):
        return [mk.Names([mk.Pair(name, f"stage.{name}") for name in stage.state_dict()])]


class TestOwnNames(WeightFormatContract):
    """A format of any stage's tensors: those of a learned vocabulary too."""

    component = OwnNames
    models = [{"use": "one-convolution"}, STAGES["autoencoder"], STAGES["generator"]]
    excused = {"test_a_model_that_it_can_not_express_has_faults": "it can express any"}


def test_every_weight_format_has_a_suite():
    assert untested("weight_format", globals()) == []
