"""The datasets of this distribution keep to the contract."""

import nano
import pytest
from first_party import untested

from mousai_kit.testing import DatasetContract
from mousai_kit_clips.clips import Clips
from mousai_kit_clips.tones import Tones
from mousai_kit_mousai.folder import Folder


class TestTones(DatasetContract):
    component = Tones
    options = {"tracks": 6, "held_out": 3}


class TestClips(DatasetContract):
    component = Clips


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Return a folder of six notes and a file that is none."""
    folder = tmp_path_factory.mktemp("music")
    for number in range(6):
        nano.tone(folder / f"{number}.wav", seconds=5, rate=16_000, hertz=200 * 1.5**number)
    (folder / "broken.wav").write_bytes(b"RIFF")
    return folder


class TestFolder(DatasetContract):
    component = Folder

    @pytest.fixture(autouse=True)
    def files(self, music):
        self.options = {"path": str(music), "validation": 0.3, "crops": 2}


def test_every_dataset_has_a_suite():
    assert untested("dataset", globals()) == []
