"""Music that is less than it looks: told before the first step."""

import shutil

import nano
import pytest
import tar_shards
from watched import Words, told, warnings, watched

from mousai_kit.core.interfaces import Clip
from mousai_kit.data.duplicates import duplicates_and_silence
from mousai_kit.training.monitors import DataQualityMonitor
from mousai_kit.training.run import train_run
from mousai_kit_shards.web_dataset import WebDataset


class Said(Words):
    """Clips with given captions."""

    def __init__(self, captions):
        super().__init__(len(captions))
        self.captions = captions

    def clip(self, index, epoch=0):
        return Clip(super().clip(index, epoch).wave, self.captions[index], f"{index}")


def begun(clips, **settings):
    """Return what is warned of before the first step."""
    training = watched("a", clips=clips, by=[DataQualityMonitor()], **settings)
    for observer in training.observers:
        observer.on_train_start(training)
    found = warnings(training.place.log) if training.place.log.exists() else []
    assert all(told(line) for _, line in found)
    return found


def test_fewer_clips_than_a_batch_are_told(here):
    assert begun(Words(6), batch=16) == [
        (
            0,
            (
                "a step of 16 clips goes 2.7 times through all there are (6): little can be "
                "learned but these; lower `batch`, or add music"
            ),
        )
    ]


def test_as_many_clips_as_a_batch_are_not_told(here):
    assert begun(Words(16), batch=16) == []


@pytest.mark.parametrize(("empty", "silent"), [(0, True), (2, True), (3, False), (40, False)])
def test_captions_that_are_empty_are_told(here, empty, silent):
    line = f"{empty} of 40 captions that were looked at are empty; the text can't be heeded where "
    expected = [] if silent else [(0, line + "there is none")]
    assert begun(Said([" "] * empty + [f"{it}" for it in range(40 - empty)])) == expected


def test_captions_that_are_all_the_same_are_told(here):
    assert begun(Said(["Track"] * 100)) == [
        (
            0,
            (
                "all 64 captions that were looked at are the same ('Track'); the text can't be "
                "heeded where it tells nothing apart"
            ),
        )
    ]


def test_copies_and_silence_are_told_once_by_a_run(here, capfd):
    music = here / "music"
    music.mkdir()
    for number in range(4):
        nano.tone(music / f"{number}.wav", hertz=200 + 50 * number)
    shutil.copy(music / "1.wav", music / "9.wav")
    data = ["data.use=folder", f"data.path={music}", "data.validation=0"]
    overrides = [f"stages.autoencoder.train.{it}" for it in ("steps=3", "batch=2")] + data
    work = nano.system(*overrides, text=nano.AUTOENCODER_ONLY)
    train_run(work)
    log = work.folder.stage("autoencoder").log
    ((step, line),) = warnings(log)
    assert (step, line) == (
        0,
        (
            "the data is smaller than it looks: of 5 tracks that were looked at, 1 are copies "
            f"({music}/9.wav is {music}/1.wav), 0 silent and 0 can't be read (20%); "
            "`mousai-kit data check` tells of all"
        ),
    )
    assert told(line)
    again = nano.system(*overrides, "stages.autoencoder.train.steps=4", text=nano.AUTOENCODER_ONLY)
    train_run(again)
    assert warnings(log) == [(step, line)]
    assert f"autoencoder: step 0: {line}" in " ".join(capfd.readouterr().err.split())


def test_what_lies_in_a_shard_is_read_there(here):
    sounds = {it: {"wav": tar_shards.sound(f"{it}.wav", hertz=100 * it)} for it in (1, 2, 3)}
    tar_shards.shard("music/000.tar", {f"{it:03}": sounds[max(1, it)] for it in range(4)})
    options = WebDataset.Options(shards="music", validation=0.0)
    clips = WebDataset(options, sample_rate=8000, channels=1, length=4000, split="train")
    found = duplicates_and_silence(clips)
    assert (found.looked_at, found.silent, found.unreadable) == (4, [], [])
    assert len(found.duplicates) == 1
