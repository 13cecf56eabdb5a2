"""The metrics of this distribution keep to the contract."""

from first_party import untested

from mousai_kit.testing import MetricContract
from mousai_kit_mousai.metrics import LogMelDistance, MultiResolutionSTFT


class TestLogMelDistance(MetricContract):
    component = LogMelDistance
    options = {"n_fft": 512, "hop": 256, "bands": 32}


class TestMultiResolutionSTFT(MetricContract):
    component = MultiResolutionSTFT
    options = {"windows": [128, 512]}


def test_every_metric_has_a_suite():
    assert untested("metric", globals()) == []
