"""The index of a folder: what was read is not read again, whatever becomes of the index."""

import os
import pickle
import shutil
import sqlite3
import time
from multiprocessing import get_context
from pathlib import Path

import nano
import numpy as np
import pytest
import soundfile
import torch

import mousai_kit.api as mk
from mousai_kit.recipe import stage_fingerprint_values
from mousai_kit_mousai.folder import INDEX, Folder
from mousai_kit_mousai.index_file import VERSION
from mousai_kit_mousai.track_table import TrackTable, format_caption

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
RATE = 8_000


@pytest.fixture
def music(tmp_path):
    """Return a folder of five songs, in which a sixth file is none."""
    folder = tmp_path / "music"
    for number, name in enumerate(["b.wav", "a.flac", "c/d.ogg", "c/a.wav", "a/x.wav"]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nano.tone(path, seconds=1 + number / 4, hertz=200 + 50 * number)
    (folder / "bad.wav").write_text("none")
    return folder


def folder(path, split="train", *, length=RATE // 2, **options):
    options = Folder.Options(path=str(path), **{"validation": 0.0, **options})
    return Folder(options, sample_rate=RATE, channels=1, length=length, split=split)


@pytest.fixture
def opened(monkeypatch):
    """Return the names of the songs that are opened from now on, as they come."""
    names, plain = [], soundfile.SoundFile

    def noted(path, *rest):
        if isinstance(path, bytes):  # or else it is what was read of a file that is noted
            name = Path(os.fsdecode(path)).name
            names.extend({name} - {"bad.wav"})  # which is tried every time
        return plain(path, *rest)

    monkeypatch.setattr(soundfile, "SoundFile", noted)
    return names


ALL = ["a.flac", "b.wav", "a/x.wav", "c/a.wav", "c/d.ogg"]


def names(made):
    return [track.name for track in made.tracks]


def test_a_second_start_opens_no_song_and_finds_the_same(music, opened):
    first = folder(music)
    assert sorted({*opened}) == ["a.flac", "a.wav", "b.wav", "d.ogg", "x.wav"]
    opened.clear()
    second = folder(music)
    assert opened == []
    assert names(first) == names(second) == ALL
    assert list(first.tracks) == list(second.tracks)
    assert first.skipped_files() == second.skipped_files() != []
    assert list(first.captions()) == list(second.captions())


def test_only_what_is_new_or_has_changed_is_read(music, opened):
    folder(music)
    opened.clear()
    nano.tone(music / "b.wav", seconds=3)
    nano.tone(music / "new.wav")
    (music / "c" / "a.wav").unlink()
    made = folder(music)
    assert sorted({*opened}) == ["b.wav", "new.wav"]
    assert names(made) == ["a.flac", "b.wav", "new.wav", "a/x.wav", "c/d.ogg"]
    assert {it.name: it.seconds for it in made.tracks}["b.wav"] == 3.0
    assert rows(music / INDEX, "select count(*) from tracks") == [(5,)]


def rows(path, query):
    with sqlite3.connect(path) as file:
        return file.execute(query).fetchall()


@pytest.mark.parametrize("name", ["b.txt", "b.json"])
def test_a_sidecar_that_comes_changes_and_goes_is_noticed(music, name):
    def told():
        return next(text for text, it in zip(captions(), names(made), strict=True) if it == "b.wav")

    def captions():
        return list(made.captions())

    made = folder(music)
    assert told() == "b, 1 of 2"
    for text in ("slow", "fast jazz"):
        (music / name).write_text(text if name == "b.txt" else f'{{"caption": "{text}"}}')
        made = folder(music)
        assert told() == text
    (music / name).unlink()
    made = folder(music)
    assert told() == "b, 1 of 2"


def test_the_splits_are_those_of_an_index_made_anew(music):
    before = [names(folder(music, it, validation=0.4)) for it in ("train", "validation")]
    (music / INDEX).unlink()
    after = [names(folder(music, it, validation=0.4)) for it in ("train", "validation")]
    assert before == after
    assert sorted([*after[0], *after[1]]) == sorted(ALL)


def test_a_folder_that_moves_keeps_its_index(music, opened):
    folder(music)
    opened.clear()
    moved = shutil.move(music, music.with_name("moved"))
    assert names(folder(moved)) == ALL
    assert opened == []


def test_an_index_elsewhere_leaves_the_folder_as_it_is(music, tmp_path, opened):
    made = folder(music, index=str(tmp_path / "index.sqlite"))
    opened.clear()
    assert names(folder(music, index=str(tmp_path / "index.sqlite"))) == names(made)
    assert opened == []
    assert not (music / INDEX).exists()


@pytest.mark.parametrize(("option", "trains_again"), [("index: i", False), ("loudness: -14", True)])
def test_where_the_index_lies_trains_nothing_again_and_loudness_does(
    tmp_path, monkeypatch, option, trains_again
):
    monkeypatch.chdir(tmp_path)
    one = nano.recipe("data={use: folder, path: x}")
    other = nano.recipe(f"data={{use: folder, path: x, {option}}}")
    keys = [stage_fingerprint_values(it, "autoencoder") for it in (one, other)]
    assert (keys[0] != keys[1]) == trains_again


# an index that is wrong


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"no index at all",
        lambda data: data[:1_000],
        lambda data: data[:100] + b"\xff" * (len(data) - 100),
        lambda data: data[: len(data) // 2],
        lambda data: b"",
    ],
    ids=["text", "cut", "overwritten", "half", "empty"],
)
def test_a_damaged_index_is_made_anew(music, damage):
    want = list(folder(music).tracks)
    path = music / INDEX
    path.write_bytes(damage(path.read_bytes()))
    made = folder(music)
    assert list(made.tracks) == want
    assert len(made.skipped_files()) == 1
    assert rows(path, "select count(*) from tracks") == [(5,)]
    assert rows(path, "pragma integrity_check") == [("ok",)]


def test_an_index_of_another_version_is_made_anew(music):
    folder(music)
    with sqlite3.connect(music / INDEX) as file:
        file.execute("drop table tracks")
        file.execute("pragma user_version = 7")
    assert names(folder(music)) == ALL
    assert rows(music / INDEX, "pragma user_version") == [(VERSION,)]


def test_an_mp3s_length_is_counted_once_and_chunk_marks_follow(tmp_path, opened):
    path = tmp_path / "music/a.mp3"
    path.parent.mkdir()
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * RATE)
    soundfile.write(path, wave, RATE, bitrate_mode="VARIABLE")
    data = path.read_bytes()
    at = data.index(b"Xing") + 8
    tenth = (int.from_bytes(data[at : at + 4]) // 10).to_bytes(4)
    path.write_bytes(data[:at] + tenth + data[at + 4 :])
    with soundfile.SoundFile(path) as sound:
        assert sound.frames < 3 * RATE
    made = folder(path.parent)
    assert made.tracks[0].seconds == pytest.approx(20, abs=0.2)
    opened.clear()
    again = folder(path.parent)
    assert list(again.tracks) == list(made.tracks)
    assert opened == []
    texts = {folder(path.parent, drop=0.0).clip(0, epoch).text for epoch in range(300)}
    assert all(" of 40" in text for text in texts)
    assert len(texts) > 40


def test_another_programs_file_is_left_as_it_is(music, tmp_path):
    photos = tmp_path / "photos.sqlite"
    with sqlite3.connect(photos) as file:
        file.execute("create table photos (name)")
    before = photos.read_bytes()
    with pytest.raises(mk.AudioError) as caught:
        folder(music, index=str(photos))
    told = "is no index of music; name another file, or a new one"
    assert str(caught.value) == f"{photos}: index: {told}"
    assert photos.read_bytes() == before


def test_an_index_in_a_folder_that_is_missing(music, tmp_path):
    with pytest.raises(mk.AudioError) as caught:
        folder(music, index=str(tmp_path / "no" / "index.sqlite"))
    assert str(caught.value) == f"{tmp_path}/no/index.sqlite: index: its folder is missing"


def test_where_no_index_can_be_the_headers_are_read_and_it_is_told(music):
    (music / INDEX).mkdir()
    for _ in range(2):
        made = folder(music)
        assert names(made) == ALL
        assert made.remarks()[-1] == (
            f"{music}/{INDEX}: can't be used (Is a directory), so that all headers are read at "
            "every start; name a file that can be written with `index`"
        )


def test_a_full_disk_is_told_and_harms_nothing(music):
    with nano.full_disk(5_000):
        made = folder(music)
    assert names(made) == ALL
    assert "can't be used (" in made.remarks()[-1]
    assert len(folder(music).skipped_files()) == 1


def test_an_index_that_may_only_be_read_is_read(music, opened, monkeypatch):
    folder(music)
    opened.clear()
    plain = sqlite3.connect

    def only_read(path, **options):
        return plain(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", only_read)
    made = folder(music)
    assert (names(made), opened) == (ALL, [])
    assert len(made.skipped_files()) == 1


# several processes


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a folder of 1500 songs."""
    folder = tmp_path_factory.mktemp("many")
    song = nano.tone(folder / "0.wav", seconds=0.1)
    for number in range(1, 1_500):
        shutil.copyfile(song, folder / f"{number}.wav")
    return folder


def start(path):
    """Build the dataset in a process of its own."""

    def build():
        made = folder(path)
        assert (len(made), made.skipped_files()) == (1_500, [])

    process = get_context("fork").Process(target=build)
    process.start()
    return process


def test_processes_that_start_together_find_the_same(many):
    (many / INDEX).unlink(missing_ok=True)
    both = [start(many) for _ in range(3)]
    for process in both:
        process.join()
    assert [it.exitcode for it in both] == [0, 0, 0]
    assert rows(many / INDEX, "pragma integrity_check") == [("ok",)]
    assert rows(many / INDEX, "select count(*) from tracks") == [(1_500,)]


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1])
def test_an_index_that_was_killed_in_the_middle_goes_on(many, delay):
    (many / INDEX).unlink(missing_ok=True)
    process = start(many)
    while not (many / INDEX).exists() and process.is_alive():
        time.sleep(0.001)
    time.sleep(delay)
    process.kill()
    process.join()
    assert len(folder(many)) == 1_500
    assert rows(many / INDEX, "pragma integrity_check") == [("ok",)]
    assert rows(many / INDEX, "select count(*) from tracks") == [(1_500,)]


# measures


def test_loudness_is_measured_once_and_kept_for_other_processes(music, monkeypatch):
    made = folder(music, loudness=-20.0)
    waves = [made.clip(place).wave for place in range(5)]
    monkeypatch.setattr("mousai_kit.data.tracks.analyze_file", None)
    again = pickle.loads(pickle.dumps(folder(music, loudness=-20.0)))
    assert all(torch.equal(again.clip(place).wave, waves[place]) for place in range(5))


def test_a_track_that_has_changed_is_measured_anew(music):
    made = folder(music)
    before = made.measures(made.tracks[1])
    assert made.cached_stats(made.tracks[:2]) == [None, before]
    nano.tone(music / "b.wav", seconds=3, hertz=900)
    assert made.cached_stats(made.tracks[:2]) == [None, None]
    assert made.measures(made.tracks[1]).seconds == 3.0


def test_measures_that_can_t_be_understood_are_made_anew(music):
    made = folder(music)
    before = made.measures(made.tracks[0])
    with sqlite3.connect(music / INDEX) as file:
        file.execute("update measures set value = '[1, 2'")
    assert made.cached_stats([made.tracks[0]]) == [None]
    assert made.measures(made.tracks[0]) == before


# memory


def test_a_hundred_thousand_tracks_take_little_memory():
    table = TrackTable(Path("/music"))
    about = format_caption(
        mk.CaptionFields("Some title", "An artist", "An album", "Ambient", "2020"), "CC0-1.0"
    )
    for number in range(100_000):
        table.add(f"artist/album/{number:06} song.flac".encode(), 200.0, about)
    tracks = table.tracks()
    assert len(pickle.dumps(tracks)) < 20_000_000
    assert tracks[-1].name == "artist/album/099999 song.flac"
    assert tracks[-1].path == Path("/music/artist/album/099999 song.flac")
    assert list(tracks[5:7]) == [tracks[5], tracks[6]]
    with pytest.raises(IndexError):
        tracks[100_000]
