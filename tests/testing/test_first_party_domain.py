"""The domains of this distribution keep to the contract."""

from first_party import untested

from mousai_kit.testing import DomainContract
from mousai_kit_mousai.domains import MDCT, Waveform


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


def test_every_domain_has_a_suite():
    assert untested("domain", globals()) == []
