"""A library's facts: each thing that is wrong is planted, found, and nothing else is."""

import shutil

import mutagen
import nano
import numpy as np
import pytest
import soundfile

import mousai_kit.api as mk
from mousai_kit.core.console import Screen
from mousai_kit.data import track_stats
from mousai_kit.data.analysis import NOTES, PROBLEMS, analyze, problems, summarize_analysis
from mousai_kit.data.duplicates import duplicates_and_silence, exact_duplicates, near_duplicates
from mousai_kit.data.track_stats import TrackStats, pieces
from mousai_kit_clips.clips import MUSIC, Clips
from mousai_kit_clips.tones import Tones
from mousai_kit_mousai.folder import Folder

RATE = 8_000
WIRING = {"sample_rate": RATE, "channels": 1, "length": RATE}
SPLITS = ("train", "validation")


def song(path, seed, *, seconds=12, **tags):
    """Write noise whose level goes up and down, tagged."""
    random = np.random.default_rng(seed)
    levels = np.repeat(10 ** random.uniform(-1.5, -0.5, 4 * seconds), RATE // 4)
    soundfile.write(path, random.normal(size=levels.shape) / 4 * levels, RATE)
    if tags:
        file = mutagen.File(path)
        file.update(tags)
        file.save()
    return path


@pytest.fixture
def music(tmp_path):
    """Return a folder of five good songs."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(5):
        song(folder / f"{number}.flac", number, title=f"Song {number}", license="CC0-1.0")
    return folder


def datasets(folder, **options):
    made = Folder.Options(path=str(folder), **{"validation": 0.3, **options})
    return {split: Folder(made, split=split, **WIRING) for split in SPLITS}


def facts(folder, *, quick=False, **options):
    library = analyze(
        str(folder),
        datasets(folder, **options),
        sample_rate=RATE,
        quick=quick,
        screen=Screen(quiet=True),
    )
    return summarize_analysis(library)


def named(folder, *names):
    return [str(folder / name) for name in names]


def test_a_good_library_has_no_fault(music):
    found = facts(music)
    assert problems(found) == {}
    assert {key: found[key] for key in NOTES} == {key: [] for key in NOTES}
    assert (found["pieces"], found["whole_tracks"]) == (5, True)
    assert found["hours"] == pytest.approx(60 / 3600)
    assert sum(found["splits"].values()) == 5
    assert found["sample_rates"] == {"8000": 5}
    assert found["channels"] == {"1": 5}
    assert found["encodings"] == {"FLAC PCM_16": 5}
    assert found["licences"] == {"CC0-1.0": 5}
    assert found["seconds"] == dict.fromkeys(["min", "p10", "median", "p90", "max"], 12.0)


def test_a_song_with_other_tags_or_another_format_is_a_duplicate(music):
    copy = shutil.copy(music / "1.flac", music / "copy.flac")
    file = mutagen.File(copy)
    file["title"] = "Another name"
    file.save()
    data, rate = soundfile.read(music / "1.flac", dtype="int16")
    soundfile.write(music / "copy.wav", data, rate)
    found = facts(music)
    assert [sorted(it) for it in found["duplicates"]] == [
        named(music, "1.flac", "copy.flac", "copy.wav")
    ]
    assert found["near_duplicates"] == []


@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_a_song_encoded_anew_or_at_another_level_is_nearly_one(music, suffix):
    data, rate = soundfile.read(music / "2.flac")
    soundfile.write(music / f"copy{suffix}", data * 0.5, rate)
    found = facts(music)
    assert [sorted(it) for it in found["near_duplicates"]] == [
        named(music, "2.flac", f"copy{suffix}")
    ]
    assert found["duplicates"] == []


def test_held_out_music_that_is_learned_from_is_a_leak(music):
    held = datasets(music)["validation"].tracks[0].path
    for number in range(4):  # by their names, most of them are not held out
        shutil.copy(held, music / f"copy {number}.flac")
    ((train, validation),) = facts(music)["leaks"]
    made = datasets(music)
    assert train in {str(it.path) for it in made["train"].tracks}
    assert validation in {str(it.path) for it in made["validation"].tracks}


def test_silent_clipped_and_nameless_tracks_and_bad_files_are_named(music):
    soundfile.write(music / "silent.wav", np.zeros(3 * RATE), RATE)
    wave = np.concatenate([np.random.default_rng(0).normal(size=RATE) / 9, np.zeros(3 * RATE)])
    soundfile.write(music / "mostly.wav", wave, RATE)
    soundfile.write(music / "loud.wav", (9 * np.sin(np.arange(5 * RATE))).clip(-1, 1), RATE)
    nano.cut(song(music / "cut.mp3", 9))
    (music / "bad.wav").write_text("none")
    found = facts(music)
    assert sorted(found["silent"]) == named(music, "mostly.wav", "silent.wav")
    assert found["clipped"] == named(music, "loud.wav")
    unnamed = named(music, "loud.wav", "mostly.wav", "silent.wav")
    assert sorted(found["without_caption"]) == unnamed
    assert sorted(found["without_licence"]) == unnamed
    assert [it.split(": ")[0] for it in found["unreadable"]] == named(music, "cut.mp3")
    assert found["skipped"] == [
        f"{music}/bad.wav: is no audio file that can be read (Format not recognised)"
    ]
    assert set(problems(found)) == set(PROBLEMS) - {"duplicates", "leaks"}


def test_a_sidecar_tells_a_caption_and_a_licence(music):
    song(music / "new.wav", 7)
    (music / "new.json").write_text('{"caption": "slow jazz", "licence": "MIT"}')
    song(music / "newer.wav", 8)
    (music / "newer.json").write_text('{"license": "CC BY 4.0"}')
    found = facts(music, quick=True)
    assert found["licences"] == {"CC0-1.0": 5, "MIT": 1, "CC-BY-4.0": 1}
    assert found["without_caption"] == named(music, "newer.wav")


def test_a_quick_look_decodes_nothing(music, monkeypatch):
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    found = facts(music, quick=True)
    assert found["pieces"] == 5
    assert "loudness" not in found


def test_what_was_measured_is_not_measured_again(music, monkeypatch):
    first = facts(music)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    assert facts(music) == first


def test_what_was_measured_before_an_interruption_is_kept(music, monkeypatch):
    monkeypatch.setattr(track_stats, "GROUP", 1)
    monkeypatch.setattr(track_stats, "threads", lambda: 1)
    plain, asked = Folder.measure, []

    def interrupted(dataset, track):
        asked.append(track.path)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return plain(dataset, track)

    monkeypatch.setattr(Folder, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        facts(music)
    facts(music)
    assert len(asked) == 3 + 3
    assert asked.count(asked[2]) == 2


def test_the_clips_that_come_along_are_told_apart():
    made = Clips(Clips.Options(), **WIRING, split="train")
    found = list(pieces(made, "train", sample_rate=RATE))
    assert len(found) == len(made.tracks)
    assert (exact_duplicates(found), near_duplicates(found)) == ([], [])
    assert {it.licence for it in found} == {"CC-BY-SA-3.0", "MIT", "BSD-2-Clause"}
    assert all(it.captioned for it in found)


def test_a_dataset_without_files_is_looked_at_by_its_clips():
    made = {it: Tones(Tones.Options(), **WIRING, split=it) for it in SPLITS}
    library = analyze("tones", made, sample_rate=RATE, quick=False, screen=Screen(quiet=True))
    found = summarize_analysis(library)
    assert (found["pieces"], found["whole_tracks"]) == (10, False)
    assert problems(found) == {}
    assert found["sample_rates"] == {"8000": 10}


class Odd(mk.Dataset):
    """A clip that can't be read, one that is silent, and one that comes twice."""

    name = "odd"

    def __init__(self):
        self.tones = Tones(Tones.Options(), **WIRING, split="train")

    def __len__(self):
        return 4

    def clip(self, index, epoch=0):
        tone = self.tones.clip(min(index, 2))
        if index == 0:
            raise mk.AudioError("a.wav: does not exist")
        wave = tone.wave * 0 if index == 1 else tone.wave
        return mk.Clip(wave, "", f"clip {index}")


def test_what_is_wrong_with_clips_is_found_as_well():
    found = list(pieces(Odd(), "train", sample_rate=RATE))
    assert [it.fault for it in found] == ["a.wav: does not exist", "", "", ""]
    assert [it.captioned for it in found] == [True, False, False, False]
    (group,) = exact_duplicates(found)
    assert [it.source for it in group] == ["clip 2", "clip 3"]


# before training


def test_early_a_sample_of_clips_tells_copies_silence_and_bad_files():
    found = duplicates_and_silence(Odd())
    assert found.looked_at == 4
    assert found.duplicates == [("clip 3", "clip 2")]
    assert found.silent == ["clip 1"]
    assert found.unreadable == ["a.wav: does not exist"]
    assert found.share == 0.75


def test_early_good_music_has_no_fault(music):
    made = Folder(Folder.Options(path=str(music), validation=0.0), **WIRING, split="train")
    found = duplicates_and_silence(made)
    assert (found.looked_at, found.share) == (5, 0.0)


def test_early_copies_are_found_among_very_many_tracks(music):
    for number in range(60):
        nano.tone(music / f"other {number:02}.wav", seconds=0.5 + number / 100)
    shutil.copy(music / "1.flac", music / "zz.flac")
    made = Folder(Folder.Options(path=str(music), validation=0.0), **WIRING, split="train")
    found = duplicates_and_silence(made, at_most=16)
    assert found.looked_at == 16
    assert found.duplicates == [(str(music / "zz.flac"), str(music / "1.flac"))]


def test_a_piece_is_small():
    """A hundred thousand of them are held at a time."""
    assert not hasattr(TrackStats("a", "train", 1.0, captioned=True, licence=""), "__dict__")
    assert len(list(MUSIC.glob("*.ogg"))) == 14
