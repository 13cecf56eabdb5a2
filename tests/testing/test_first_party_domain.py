"""The domains of this distribution keep to the contract."""

from first_party import untested

from mousai_kit.testing import DomainContract
from mousai_kit_mousai.domains import MDCT, Waveform
from mousai_kit_riffusion.mel_picture import MelPicture


class TestWaveform(DomainContract):
    component = Waveform
    expected_failures = {
        "test_music_has_about_unit_variance_once_measured": "the paper diffuses audio as it is",
    }


class TestMDCT(DomainContract):
    component = MDCT
    options = {"hop": 16}


class TestMDCTOfPlainCoefficients(DomainContract):
    component = MDCT
    options = {"hop": 32, "exponent": 1.0, "mid_side": False, "emphasis": 8.0}


PHASES_ARE_LOST = {
    "test_audio_comes_back": "it has no phases: Griffin-Lim finds others",
    "test_white_noise_in_x_is_white_noise_in_the_audio": "it shows magnitudes, not the signal",
}


class TestMelPicture(DomainContract):
    component = MelPicture
    options = {"bands": 16, "hop": 1.0, "window": 4.0, "iterations": 3}
    expected_failures = PHASES_ARE_LOST


class TestMelPictureOfPlainMagnitudes(DomainContract):
    component = MelPicture
    options = {
        "bands": 16,
        "hop": 1.0,
        "window": 4.0,
        "power": 1.0,
        "lowest": 100.0,
        "highest": 20_000.0,
        "iterations": 2,
        "momentum": 0.0,
        "playback_padding": 1,
    }
    expected_failures = PHASES_ARE_LOST


def test_every_domain_has_a_suite():
    assert untested("domain", globals()) == []
