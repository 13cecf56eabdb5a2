"""Clips: the music in the package is real, tagged, credited, held out by the manifest and small."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import mutagen
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit_clips.clips import MUSIC, Clips

MANIFEST: list[dict[str, Any]] = json.loads((MUSIC / "manifest.json").read_text(encoding="utf-8"))
SPLITS: tuple[mk.Split, mk.Split] = ("train", "validation")


def clips(split: mk.Split = "train", length: int = 48_000, **options: Any) -> Clips:
    return Clips(
        Clips.Options(**options), sample_rate=48_000, channels=2, length=length, split=split
    )


def test_the_package_holds_10_to_16_clips_under_4_mb_and_nothing_else() -> None:
    names = {path.name for path in MUSIC.glob("*.ogg")}
    assert names == {entry["file"] for entry in MANIFEST}
    assert 10 <= len(names) <= 16
    assert sum(path.stat().st_size for path in MUSIC.glob("*.ogg")) < 4_000_000


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_each_clip_is_as_the_manifest_says(entry: dict[str, Any]) -> None:
    info = mk.audio_info(MUSIC / entry["file"])
    assert (info.sample_rate, info.channels) == (48_000, 2)
    assert 8 <= info.seconds <= 12
    assert info.seconds == pytest.approx(entry["seconds"], abs=1e-3)
    tags = mk.read_tags(MUSIC / entry["file"])
    assert mk.CaptionFields.of(tags) == mk.CaptionFields.of(entry)
    assert all(mk.CaptionFields.of(entry).caption().split(", "))
    assert mutagen.File(MUSIC / entry["file"])["license"] == [entry["licence"]]


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_each_clip_is_credited_beside_its_licence(entry: dict[str, Any]) -> None:
    page = (MUSIC / "CREDITS.md").read_text(encoding="utf-8")
    assert entry["file"] in page
    assert entry["credit"] in page
    assert entry["licence_files"]
    for name in entry["licence_files"]:
        assert (MUSIC / "licences" / name).stat().st_size > 400


def test_there_are_three_genres_four_sources_and_two_held_out_clips() -> None:
    assert len({entry["genre"] for entry in MANIFEST}) >= 3
    assert len({entry["source_package"] for entry in MANIFEST}) >= 4
    assert sum(entry["split"] == "validation" for entry in MANIFEST) >= 2


def test_each_clip_is_in_one_split() -> None:
    train, held = ([track.name for track in clips(split).tracks] for split in SPLITS)
    assert set(train).isdisjoint(held)
    assert sorted(train + held) == sorted(entry["file"] for entry in MANIFEST)
    assert len(clips(crops=5)) == 5 * len(train)


@pytest.mark.parametrize("split", SPLITS)
def test_every_clip_gives_music_of_the_length_asked_for(split: mk.Split) -> None:
    for length in (1_000, 262_144, 20 * 48_000):
        for clip in clips(split, length):
            assert clip.wave.shape == (2, length)
            assert clip.wave.abs().max() > 0.01
            assert Path(clip.source).parent == MUSIC


def test_the_same_index_and_epoch_give_the_same_clip_in_any_copy() -> None:
    made = clips(crops=2)
    copy = pickle.loads(pickle.dumps(made))
    for index, epoch in [(0, 0), (3, 0), (3, 9)]:
        one, other = made.clip(index, epoch), copy.clip(index, epoch)
        assert torch.equal(one.wave, other.wave)
        assert one.text == other.text
    assert not torch.equal(made.clip(0, 0).wave, made.clip(0, 1).wave)
    assert not torch.equal(made.clip(0, 0).wave, made.clip(1, 0).wave)


def test_captions_are_known_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mousai_kit.data.tracks.read", None)
    texts = list(clips("validation", 3 * 48_000).captions())
    assert texts[0] == (
        "Awakening, Maxstack, Endgame: Singularity Original Soundtrack, Ambient Electronic, 2012, "
        "1 of 3"
    )


def test_a_held_out_clips_caption_marks_its_chunk() -> None:
    texts = {clips("validation", 3 * 48_000, crops=6).clip(index).text for index in range(6)}
    marks = {match[0] for text in texts if (match := re.search(r"\d of 3", text))}
    assert marks == {"1 of 3", "2 of 3", "3 of 3"}
