"""Every conditioner that comes along keeps its contract; so do those of the tests."""

import pytest
import soundfile
import torch
from first_party import untested
from small_conditioners import Loudness, Place

from mousai_kit.testing import ConditionerContract


class TestPlace(ConditionerContract):
    component = Place
    value = {"start": 3.0, "total": 60.0}


class TestLoudness(ConditionerContract):
    component = Loudness

    @pytest.fixture(autouse=True)
    def hum(self, tmp_path):
        """Write what is to be as loud."""
        soundfile.write(tmp_path / "hum.wav", torch.linspace(-0.5, 0.5, 20_000).numpy(), 16_000)
        self.value = {"file": str(tmp_path / "hum.wav")}


def test_every_conditioner_has_a_suite():
    assert untested("conditioner", globals()) == []
