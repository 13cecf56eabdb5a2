"""Loudness is measured before clips are read: once, by workers, and only what is needed."""

import os
import signal
from pathlib import Path

import nano
import pytest
import torch

from mousai_kit.audio.analysis import AudioStats
from mousai_kit.core.console import ProgressBar, Screen
from mousai_kit.core.errors import AudioError, TrainingError
from mousai_kit.data import track_stats as measuring
from mousai_kit.data.track_stats import measure
from mousai_kit.training.run import RunTraining, train_run
from mousai_kit.training.trainer import Trainer
from mousai_kit_clips.tones import Tones
from mousai_kit_mousai.folder import Folder

CROPS = 2


MEASURE = Folder.measure


@pytest.fixture(autouse=True)
def _noting(monkeypatch):
    """Note in a file each track that is measured, and by which process."""

    def measure(dataset, track):
        with Path("measured").open("a") as file:
            file.write(f"{track.path.name} {os.getpid()}\n")
        return MEASURE(dataset, track)

    monkeypatch.setattr(Folder, "measure", measure)


@pytest.fixture
def music(here):
    """Six songs, of which any may be held out."""
    Path("music").mkdir()
    for number in range(6):
        nano.tone(f"music/{number}.flac", hertz=200 + 50 * number)
    return here


@pytest.fixture
def cores(monkeypatch):
    """As many cores as a test asks for."""
    monkeypatch.setattr(measuring, "threads", lambda: 4)


def of(kind=Folder, *, loudness=-20.0, split="train", **options):
    given = {"path": "music", "validation": 0.0, "crops": CROPS, "loudness": loudness}
    build_kwargs = {"sample_rate": nano.RATE, "channels": 1, "length": 2048, "split": split}
    return kind(kind.Options(**given | options), **build_kwargs)


def do(clips, *, indices=None, workers=0):
    asked = range(len(clips)) if indices is None else indices
    measure(clips, asked, workers=workers, screen=Screen(quiet=True))


def noted():
    """Return the songs that were measured, and the processes that did it."""
    lines = Path("measured").read_text().split() if Path("measured").exists() else []
    return sorted(lines[::2]), set(map(int, lines[1::2]))


SONGS = [f"{number}.flac" for number in range(6)]


@pytest.mark.parametrize("workers", [0, 1])
def test_fewer_than_two_workers_measure_in_this_process(music, cores, workers):
    do(of(), workers=workers)
    assert noted() == (SONGS, {os.getpid()})


def test_more_measure_each_track_once_in_processes_of_their_own(music, cores):
    do(of(), workers=3)
    songs, processes = noted()
    assert songs == SONGS
    assert os.getpid() not in processes
    assert len(processes) == 3


def test_there_are_no_more_of_them_than_cores(music, monkeypatch):
    monkeypatch.setattr(measuring, "threads", lambda: 2)
    do(of(), workers=5)
    assert len(noted()[1]) == 2
    monkeypatch.setattr(measuring, "threads", lambda: 1)
    Path("music/.mousai-kit-index.sqlite").unlink()
    do(of(), workers=5)
    assert os.getpid() in noted()[1]


def test_what_is_measured_is_as_loud_as_what_is_measured_on_the_way(music, cores):
    slow = of(index="slow.sqlite")
    expected = [slow.clip(index).wave for index in range(len(slow))]
    made = of()
    do(made, workers=2)
    Path("measured").unlink()
    assert all(map(torch.equal, expected, [made.clip(it).wave for it in range(len(made))]))
    assert noted() == ([], set())


def test_only_the_tracks_of_the_clips_asked_for_are_measured_and_none_twice(music):
    made = of()
    do(made, indices=[0, 1, 4])
    assert noted()[0] == [SONGS[0], SONGS[2]]
    do(made, indices=[5, 0, 7])
    assert noted()[0] == [SONGS[0], SONGS[2], SONGS[3]]
    do(of())
    assert noted()[0] == SONGS


def test_where_no_loudness_is_asked_for_nothing_is_measured(music):
    do(of(loudness=None))
    do(Tones(Tones.Options(), sample_rate=nano.RATE, channels=1, length=64, split="train"))
    assert noted() == ([], set())


def test_a_dataset_that_keeps_nothing_is_told_what_was_measured(music, cores):
    class Forgetful(Folder):
        def cached_stats(self, tracks):
            return [None] * len(tracks)

        def cache_stats(self, measures):
            pass

    made = of(Forgetful)
    do(made, workers=2)
    Path("measured").unlink()
    for index in range(len(made)):
        made.clip(index)
    do(made)
    assert noted() == ([], set())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_start_that_is_ended_goes_on_where_it_was(music, cores, monkeypatch, workers):
    plain, told = ProgressBar.advance, []

    def interrupted(bar, *given):
        plain(bar, *given)
        told.append(bar.done)
        if len(told) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        do(of(), workers=workers)
    monkeypatch.setattr(ProgressBar, "advance", plain)
    Path("measured").unlink()
    do(of())
    assert noted()[0] == SONGS[2:]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_track_that_can_t_be_decoded_is_left_to_whoever_reads_it(music, cores, workers):
    made = of()
    nano.cut("music/3.flac")
    do(made, workers=workers)
    assert noted()[0] == SONGS
    with pytest.raises(AudioError, match=r"^music/3\.flac: "):
        made.clip(3 * CROPS)
    assert isinstance(made.cached_stats([made.tracks[4]])[0], AudioStats)


def test_a_process_that_dies_is_told_in_a_line(music, cores):
    class Deadly(Folder):
        def measure(self, track):
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(TrainingError) as stopped:
        do(of(Deadly), workers=2)
    assert str(stopped.value) == (
        "a process that reads audio was ended by the system, which is mostly for want of (shared) "
        "memory; lower `workers`, 0 needs none"
    )


def test_there_is_a_bar(music, capsys, monkeypatch):
    monkeypatch.setattr("mousai_kit.core.console.WORD_AFTER", 0.0)
    monkeypatch.setattr("mousai_kit.core.console.LASTS", 0.0)
    measure(of(), range(12), workers=0, screen=Screen())
    assert capsys.readouterr().err == "measuring loudness: 1/6, about 0:00:00 left\n"


# a whole run


FOLDER = "data={use: folder, path: music, loudness: -20, validation: 0.3, crops: 2}"


def system(*overrides):
    workers = [f"stages.{stage}.train.workers=2" for stage in ("autoencoder", "generator")]
    return nano.system(FOLDER, *workers, *overrides)


def test_a_run_measures_each_track_once_and_none_in_its_own_process(music, cores):
    train_run(system())
    songs, processes = noted()
    assert songs == SONGS
    assert os.getpid() not in processes


def test_a_short_training_measures_no_more_than_it_hears(music, cores, monkeypatch):
    monkeypatch.setattr("mousai_kit.data.stage_data.PREPARED_CLIPS", 1)
    work = system("stages.autoencoder.train.steps=1")
    learn, heard = Trainer.train_step, set()

    def hearing(training, batch):
        heard.update(batch.sources)
        return learn(training, batch)

    monkeypatch.setattr(Trainer, "train_step", hearing)
    RunTraining(work).train_or_load("autoencoder", None)
    held_out = {track.path.name for track in of(split="validation", validation=0.3).tracks}
    first = of(validation=0.3).tracks[0].path.name
    assert set(noted()[0]) == {Path(it).name for it in heard} | held_out | {first}
