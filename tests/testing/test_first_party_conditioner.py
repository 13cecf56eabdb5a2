"""Every conditioner that comes along keeps its contract; so do those of the tests."""

import pytest
import soundfile
from first_party import untested
from small_conditioners import Loudness as SmallLoudness
from small_conditioners import Place

from mousai_kit.testing import ConditionerContract
from mousai_kit.testing.signals import chords
from mousai_kit_conditioning.loudness import Loudness
from mousai_kit_conditioning.melody import Melody
from mousai_kit_conditioning.timing import Timing
from mousai_kit_stable_audio.timing import StableAudioTiming


@pytest.fixture
def music(tmp_path):
    """Return the file of a chord."""
    soundfile.write(tmp_path / "hum.wav", chords(1, 1, 20_000)[0, 0].numpy(), 16_000)
    return str(tmp_path / "hum.wav")


class TestPlace(ConditionerContract):
    component = Place
    value = {"start": 3.0, "total": 60.0}


class TestTiming(ConditionerContract):
    component = Timing
    value = {"start": 3.0, "total": 60.0}


class TestStableAudioTiming(ConditionerContract):
    component = StableAudioTiming
    options = {"frequencies": 4}
    value = {"start": 3.0, "total": 60.0}


class OfAFile(ConditionerContract):
    """A conditioner that is told a file."""

    @pytest.fixture(autouse=True)
    def hum(self, music):
        """Name the file."""
        self.value = {"file": music}


class TestSmallLoudness(OfAFile):
    component = SmallLoudness


class TestLoudness(OfAFile):
    component = Loudness


class TestMelody(OfAFile):
    component = Melody


def test_every_conditioner_has_a_suite():
    assert untested("conditioner", globals()) == []
