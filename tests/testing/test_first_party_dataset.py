"""The datasets of this distribution keep to the contract."""

import nano
import pytest
import saved_data
import tar_shards
from first_party import untested

from mousai_kit.testing import DatasetContract
from mousai_kit_clips.clips import Clips
from mousai_kit_clips.tones import Tones
from mousai_kit_mousai.folder import Folder
from mousai_kit_mousai.mix import Mix
from mousai_kit_shards.hugging_face import HuggingFace
from mousai_kit_shards.web_dataset import WebDataset


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


@pytest.fixture(scope="module")
def shards(music, tmp_path_factory):
    """Return two shards of the notes, with captions, and what is no note."""
    folder = tmp_path_factory.mktemp("shards")
    files = sorted(music.iterdir())
    for number in range(2):
        samples = {it.stem: {"wav": it.read_bytes(), "txt": it.stem} for it in files[number::2]}
        tar_shards.shard(folder / f"{number}.tar", samples)
    return folder


class TestWebDataset(DatasetContract):
    component = WebDataset

    @pytest.fixture(autouse=True)
    def files(self, shards):
        self.options = {"shards": str(shards / "{0..1}.tar"), "validation": 0.3, "crops": 2}


@pytest.fixture(scope="module")
def data(music, tmp_path_factory):
    """Return a saved data set of the notes, and of what is no note."""
    files = sorted(music.iterdir())
    audio = [{"bytes": it.read_bytes(), "path": it.name} for it in files]
    titles = [it.stem for it in files]
    return saved_data.saved(tmp_path_factory.mktemp("data"), audio, title=titles)


class TestHuggingFace(DatasetContract):
    component = HuggingFace

    @pytest.fixture(autouse=True)
    def files(self, data):
        self.options = {"path": str(data), "validation": 0.3, "crops": 2}


class TestMix(DatasetContract):
    component = Mix

    @pytest.fixture(autouse=True)
    def files(self, music):
        notes = {"use": "folder", "path": str(music), "validation": 0.3, "crops": 2}
        tones = {"use": "tones", "tracks": 3, "held_out": 2}
        self.options = {
            "sets": {
                "notes": {"data": notes, "weight": 3, "caption": "{caption}, slow"},
                "tones": {"data": tones},
            }
        }


def test_every_dataset_has_a_suite():
    assert untested("dataset", globals()) == []
