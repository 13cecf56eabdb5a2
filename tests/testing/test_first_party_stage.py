"""The stages of this distribution keep to the contract."""

import pytest
import small_pipeline
import torch
from first_party import untested
from small_stages import AUDIO, AUTOENCODER, GENERATOR, LATENTS, PICTURES

from mousai_kit.core.interfaces import SignalSpace
from mousai_kit.testing import StageContract
from mousai_kit.testing.network import learned_parameters
from mousai_kit_distillation.distilled import Distilled
from mousai_kit_mousai.diffusion_autoencoder import DiffusionAutoencoder
from mousai_kit_mousai.envelope_autoencoder import EnvelopeAutoencoder
from mousai_kit_mousai.regression_autoencoder import RegressionAutoencoder
from mousai_kit_mousai.text_to_latent import TextToLatent
from mousai_kit_riffusion.riffusion import Riffusion
from mousai_kit_riffusion.text_to_audio import TextToAudio
from mousai_kit_stable_audio.autoencoder import VariationalAutoencoder

BANDS = {"low": 256, "high": 64, "bands": 6, "stereo_bands": 4}
ENVELOPE = {
    **BANDS,
    "encoder": {"use": "band-split", **BANDS, "hop": 64, "channels": 32, "latent_channels": 2},
    "channels": 32,
    "low_rounds": 3,
    "high_rounds": 2,
}
"""With a latent of two channels, `fit_statistics` leaves enough to learn that fifty steps show."""


OOBLECK = {"channels": 8, "multipliers": [1, 2], "factors": [4, 4]}
VARIATIONAL = {
    "encoder": {"use": "oobleck", **OOBLECK, "latent_channels": 8, "bottleneck": "none"},
    "decoder": OOBLECK,
    "windows": [64, 256],
}


def options(spec, **changes):
    return {key: value for key, value in spec.items() if key != "use"} | changes


class TestDiffusionAutoencoder(StageContract):
    component = DiffusionAutoencoder
    options = options(AUTOENCODER)
    input_space = AUDIO


class TestDiffusionAutoencoderWithItsHeadStart(StageContract):
    component = DiffusionAutoencoder
    options = options(AUTOENCODER, envelope={"channels": 16}, saturation=1e-3)
    input_space = AUDIO


class TestDiffusionAutoencoderOnADraft(StageContract):
    component = DiffusionAutoencoder
    options = {
        "draft": {"use": "envelope-autoencoder", **ENVELOPE},
        "domain": {"use": "mdct", "hop": 16},
        "unet": AUTOENCODER["unet"],
        "sampler": AUTOENCODER["sampler"],
    }
    input_space = AUDIO


class TestRegressionAutoencoder(StageContract):
    component = RegressionAutoencoder
    options = {part: AUTOENCODER[part] for part in ("domain", "encoder", "unet")}
    input_space = AUDIO


class TestEnvelopeAutoencoder(StageContract):
    component = EnvelopeAutoencoder
    options = ENVELOPE
    input_space = AUDIO
    learning_rate = 3e-3


class TestEnvelopeAutoencoderInMono(StageContract):
    component = EnvelopeAutoencoder
    options = ENVELOPE | {"crossover": 700.0}
    input_space = SignalSpace(channels=1, stride=1, sample_rate=8000)
    learning_rate = 3e-3


class TestEnvelopeAutoencoderOfAnotherEncoder(StageContract):
    component = EnvelopeAutoencoder
    options = ENVELOPE | {"encoder": AUTOENCODER["encoder"]}
    input_space = AUDIO
    learning_rate = 3e-3


class TestVariationalAutoencoder(StageContract):
    component = VariationalAutoencoder
    options = VARIATIONAL
    input_space = AUDIO


class TestVariationalAutoencoderOfAnotherEncoder(StageContract):
    component = VariationalAutoencoder
    options = VARIATIONAL | {
        "encoder": AUTOENCODER["encoder"] | {"bottleneck": "none", "latent_channels": 8},
        "decoder": OOBLECK | {"factors": [4, 8]},
    }
    input_space = AUDIO
    learning_rate = 2e-2


class TestTextToLatentWithoutANull(StageContract):
    component = TextToLatent
    options = options(GENERATOR, without_text="masked")
    input_space = LATENTS


class TestTextToLatent(StageContract):
    component = TextToLatent
    options = options(GENERATOR)
    input_space = LATENTS


class TestTextToAudio(StageContract):
    component = TextToAudio
    options = options(PICTURES)
    input_space = AUDIO


class TestTextToAudioOfMDCT(StageContract):
    component = TextToAudio
    options = options(PICTURES, domain={"use": "mdct", "hop": 16}, unet=GENERATOR["unet"])
    input_space = SignalSpace(channels=1, stride=1, sample_rate=8000)


class DistilledSuite(StageContract):
    """A stage whose teacher has learned before: a little, so that there is something to follow."""

    component = Distilled

    def _prepare(self, stage, *, form=iter):
        stage.teacher.requires_grad_(True)
        super()._prepare(stage.teacher, form=form)
        optimizer = torch.optim.Adam(learned_parameters(stage.teacher).values(), lr=1e-2)
        for _ in range(25):
            optimizer.zero_grad()
            self.loss(stage.teacher, self.signals()).mean().backward()
            optimizer.step()
        stage.teacher.requires_grad_(False)
        return stage


class TestDistilled(DistilledSuite):
    options = {"teacher": GENERATOR, "steps": 2, "guidance": [1.0, 4.0]}
    input_space = LATENTS


class TestDistilledByConsistency(DistilledSuite):
    options = {"teacher": GENERATOR, "steps": 2, "method": "consistency", "rank": 4}
    input_space = LATENTS


class TestDistilledAutoencoder(DistilledSuite):
    options = {"teacher": AUTOENCODER, "steps": 2}
    input_space = AUDIO


class TestRiffusion(StageContract):
    component = Riffusion
    options = small_pipeline.OPTIONS
    input_space = AUDIO
    expected_failures = dict.fromkeys(
        (
            "test_every_parameter_learns",
            "test_fifty_steps_on_one_batch_halve_the_loss",
            "test_it_hears_its_condition",
            "test_signals_of_any_length_have_a_finite_loss_each",
        ),
        "it is frozen: nothing learns",
    )

    @pytest.fixture(autouse=True)
    def _with_a_pipeline(self):
        small_pipeline.folder()


def test_every_stage_has_a_suite():
    assert untested("stage", globals()) == []
