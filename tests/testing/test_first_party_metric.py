"""The metrics of this distribution keep to the contract."""

from first_party import untested

from mousai_kit.testing import MetricContract
from mousai_kit_conditioning.likeness import MelodyLikeness
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


def test_every_metric_has_a_suite():
    assert untested("metric", globals()) == []
