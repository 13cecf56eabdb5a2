"""The stages of this distribution keep to the contract."""

from conftest import AUDIO, AUTOENCODER, GENERATOR, LATENTS
from first_party import untested

from mousai_kit.testing import StageContract
from mousai_kit_mousai.autoencoder import DiffusionAutoencoder
from mousai_kit_mousai.generator import TextToLatent
from mousai_kit_mousai.regression import RegressionAutoencoder


def options(spec, **changes):
    return {key: value for key, value in spec.items() if key != "use"} | changes


class TestDiffusionAutoencoder(StageContract):
    component = DiffusionAutoencoder
    options = options(AUTOENCODER)
    below = AUDIO


class TestDiffusionAutoencoderWithItsHeadStart(StageContract):
    component = DiffusionAutoencoder
    options = options(AUTOENCODER, envelope={"channels": 16}, saturation=1e-3)
    below = AUDIO


class TestRegressionAutoencoder(StageContract):
    component = RegressionAutoencoder
    options = {part: AUTOENCODER[part] for part in ("domain", "encoder", "unet")}
    below = AUDIO


class TestTextToLatent(StageContract):
    component = TextToLatent
    options = options(GENERATOR)
    below = LATENTS


def test_every_stage_has_a_suite():
    assert untested("stage", globals()) == []
