"""Every spectral encoder that comes along keeps its contract."""

from first_party import untested

from mousai_kit.testing import SpectralEncoderContract
from mousai_kit_mousai.band_split import BandSplit
from mousai_kit_mousai.encoders import Magnitude, Mel
from mousai_kit_stable_audio.encoder import Oobleck

SMALL = {
    "channels": 8,
    "multipliers": [1, 2, 2],
    "factors": [2, 3],
    "blocks": [1, 1],
    "latent_channels": 4,
    "hop_length": 16,
}

BANDS = {
    "low": 256,
    "high": 64,
    "bands": 6,
    "stereo_bands": 4,
    "channels": 16,
    "latent_channels": 12,
}


class TestMagnitude(SpectralEncoderContract):
    component = Magnitude
    options = {**SMALL, "n_fft": 63}


class TestMagnitudeOfLogarithms(SpectralEncoderContract):
    component = Magnitude
    options = {**SMALL, "n_fft": 64, "log": True, "final_norm": True}


class TestMagnitudeUnbounded(SpectralEncoderContract):
    component = Magnitude
    options = {**SMALL, "n_fft": 63, "bottleneck": "none"}
    expected_failures = {
        "test_latents_lie_between_minus_one_and_one": "`bottleneck: none` is there to measure "
        "what the bound costs"
    }


class TestMel(SpectralEncoderContract):
    component = Mel
    options = {**SMALL, "n_fft": 64, "mels": 8}


class TestOobleck(SpectralEncoderContract):
    component = Oobleck
    options = {"channels": 4, "multipliers": [1, 2], "factors": [2, 3], "latent_channels": 4}


class TestBandSplit(SpectralEncoderContract):
    component = BandSplit
    options = {**BANDS, "hop": 64}


class TestBandSplitWithOddSizes(SpectralEncoderContract):
    component = BandSplit
    options = {
        "low": 100,
        "high": 16,
        "hop": 20,
        "crossover": 4000.0,
        "bands": 1,
        "stereo_bands": 1,
        "channels": 8,
        "blocks": 0,
        "latent_channels": 200,
    }


def test_every_spectral_encoder_has_a_suite():
    assert untested("spectral_encoder", globals()) == []
