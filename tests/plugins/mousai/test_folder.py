"""Folder: a user's own music becomes crops with captions; what is bad is left out and told."""

import errno
import json
import os
import pickle
import re
import threading
from collections import Counter
from itertools import compress
from math import pi
from pathlib import Path
from typing import Any

import mutagen
import pytest
import soundfile
import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit.data import tracks
from mousai_kit_mousai.folder import Folder

RATE = 8_000
LENGTH = RATE
"""One second: crops are quick to decode and tell where they come from."""


def ramp(seconds: float, channels: int = 1) -> Tensor:
    """Return audio [c, t] whose value says the time: 0.1 a second, from 0.1 on."""
    return (0.1 + 0.1 * torch.arange(round(seconds * RATE)) / RATE).repeat(channels, 1)


def song(path: Path, wave: Tensor | None = None, rate: int = RATE, **tags: Any) -> Path:
    """Write a song, 4.5 s unless given, with tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = ramp(4.5) if wave is None else wave
    kinds = {".wav": "FLOAT", ".flac": "PCM_24", ".ogg": "VORBIS", ".opus": "OPUS"}
    kind = "OGG" if path.suffix == ".opus" else None
    soundfile.write(path, wave.T.numpy(), rate, kinds.get(path.suffix), format=kind)
    if tags:
        file = mutagen.File(path)
        for name, value in tags.items():
            file[name] = value
        file.save()
    return path


def folder(path: Path, split: mk.Split = "train", length: int = LENGTH, **options: Any) -> Folder:
    options = {"validation": 0.0, **options}
    return Folder(
        Folder.Options(path=str(path), **options),
        sample_rate=RATE,
        channels=2,
        length=length,
        split=split,
    )


def validation(path: Path, **options: Any) -> Folder:
    return folder(path, "validation", validation=0.5, **options)


def refusal(path: Path) -> str:
    with pytest.raises(mk.AudioError) as caught:
        folder(path)
    return str(caught.value)


def places(made: Folder) -> list[str]:
    return [track.name for track in made.tracks]


# what is found


def test_nested_folders_are_searched_and_hidden_files_ignored(tmp_path: Path) -> None:
    for name in ("b.wav", "a/deep/er/c.FLAC", "a/d.ogg", ".hidden.wav", ".git/e.wav", "a/._d.ogg"):
        song(tmp_path / name.lower()).rename(tmp_path / name)
    (tmp_path / "notes.pdf").write_text("no music")
    made = folder(tmp_path)
    assert places(made) == ["b.wav", "a/d.ogg", "a/deep/er/c.FLAC"]
    assert made.skipped_files() == []
    assert len(made) == 3


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_every_format_is_read_at_the_clips_rate_and_channels(tmp_path: Path, suffix: str) -> None:
    song(tmp_path / f"a{suffix}")
    clip = folder(tmp_path).clip(0)
    assert clip.wave.shape == (2, LENGTH)
    assert clip.wave.dtype == torch.float32
    assert clip.source == str(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(("rate", "channels"), [(96_000, 1), (44_100, 2), (8_000, 6), (22_050, 3)])
def test_any_rate_and_channels_become_those_asked_for(
    tmp_path: Path, rate: int, channels: int
) -> None:
    time = torch.arange(3 * rate, dtype=torch.float64) / rate
    song(tmp_path / "a.wav", torch.sin(2 * pi * 200 * time).float().repeat(channels, 1), rate)
    wave = folder(tmp_path).clip(0).wave
    assert wave.shape == (2, LENGTH)
    spectrum = torch.fft.rfft(wave * torch.hann_window(LENGTH)).abs()
    assert spectrum.argmax(-1).tolist() == [200, 200]


def test_links_in_a_circle_end_and_a_song_linked_twice_counts_once(tmp_path: Path) -> None:
    song(tmp_path / "music" / "a.wav")
    for name in ("loop", "again", "more"):  # whoever follows these meets 3^40 folders
        (tmp_path / "music" / name).symlink_to(tmp_path / "music")
    (tmp_path / "music" / "b.wav").symlink_to(tmp_path / "music" / "a.wav")
    (tmp_path / "music" / "elsewhere").symlink_to(song(tmp_path / "other" / "c.wav").parent)
    assert places(folder(tmp_path / "music")) == ["a.wav", "elsewhere/c.wav"]


def test_any_file_name_is_read(tmp_path: Path) -> None:
    names = ["Moûsai 🎵.wav", "a: b, c; $d.wav", "x" * 251 + ".wav", "-rf.wav", " .wav"]
    for name in names:
        song(tmp_path / "plain.wav").rename(tmp_path / name)
    made = folder(tmp_path)
    assert sorted(places(made)) == sorted(names)
    assert all(made.clip(index).wave.shape == (2, LENGTH) for index in range(5))
    odd = tmp_path / os.fsdecode(b"\x83p\x81[.wav")
    song(tmp_path / "plain.wav").rename(odd)
    clip = next(clip for clip in folder(tmp_path) if clip.source.endswith("x81[.wav"))
    assert clip.source == f"{tmp_path}/\\x83p\\x81[.wav"


def test_the_users_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song(tmp_path / "Music" / "a.wav")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(folder(Path("~/Music"))) == 1


# crops


def start_of(wave: Tensor) -> float:
    """Return where in a ramp a crop starts, in seconds."""
    return (wave[0, 0].item() - 0.1) * 10


def test_a_crop_is_a_piece_of_the_track_from_where_its_mark_says(tmp_path: Path) -> None:
    song(tmp_path / "a.flac", title="A")
    made = folder(tmp_path, crops=40, drop=0.0)
    marks = Counter()
    for clip in made:
        start = start_of(clip.wave)
        assert 0 <= start <= 3.5
        expected = 0.1 + 0.1 * (start + torch.arange(LENGTH) / RATE)
        assert torch.allclose(clip.wave, expected.expand(2, -1), atol=1e-5)
        mark = re.search(r"(\d) of (\d)", clip.text)
        assert mark is not None
        assert mark.groups() == (str(int(start) + 1), "4")
        marks[mark[1]] += 1
    assert set(marks) == {"1", "2", "3", "4"}


def test_the_same_index_and_epoch_give_the_same_clip_in_any_copy(tmp_path: Path) -> None:
    for name in "abc":
        song(tmp_path / f"{name}.wav")
    first, again = folder(tmp_path, crops=2), folder(tmp_path, crops=2)
    copy = pickle.loads(pickle.dumps(first))
    for index, epoch in [(0, 0), (5, 0), (3, 7)]:
        clips = [made.clip(index, epoch) for made in (first, again, copy, first)]
        assert all(torch.equal(clip.wave, clips[0].wave) for clip in clips)
        assert len({clip.text for clip in clips}) == 1


def test_epochs_indices_and_tracks_are_cropped_differently(tmp_path: Path) -> None:
    for name in "ab":
        song(tmp_path / f"{name}.wav")
    made = folder(tmp_path, crops=3)
    starts = {
        round(start_of(made.clip(index, epoch).wave), 4) for index in range(6) for epoch in range(9)
    }
    assert len(starts) == 54


def test_crops_of_one_epoch_are_spread_over_the_track(tmp_path: Path) -> None:
    song(tmp_path / "a.wav")
    starts = [start_of(clip.wave) for clip in folder(tmp_path, crops=7)]
    assert [int(start * 2 + 1e-4) for start in starts] == list(range(7))


def test_crops_don_t_depend_on_the_other_files_nor_on_where_the_folder_is(tmp_path: Path) -> None:
    song(tmp_path / "one" / "b.wav")
    alone = folder(tmp_path / "one").clip(0, 3)
    song(tmp_path / "two" / "a.wav")
    song(tmp_path / "two" / "b.wav")
    beside = folder(tmp_path / "two").clip(1, 3)
    assert torch.equal(alone.wave, beside.wave)
    assert alone.text == beside.text


def test_a_track_shorter_than_a_crop_is_padded_with_silence_at_its_end(tmp_path: Path) -> None:
    song(tmp_path / "a.wav", ramp(0.25))
    clip = folder(tmp_path, drop=0.0).clip(0)
    assert torch.allclose(clip.wave[:, :2_000], ramp(0.25, 2))
    assert (clip.wave[:, 2_000:] == 0).all()
    assert "1 of 1" in clip.text


def test_only_the_crop_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song(tmp_path / "a.wav", ramp(60.0))
    made, frames = folder(tmp_path), []
    plain = soundfile.SoundFile.read
    monkeypatch.setattr(
        soundfile.SoundFile,
        "read",
        lambda self, count, **rest: frames.append(count) or plain(self, count, **rest),
    )
    made.clip(0)
    assert frames == [LENGTH]


def test_nothing_is_decoded_for_an_index_or_the_captions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song(tmp_path / "a.ogg", title="A", artist="B")
    song(tmp_path / "b.wav")
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    assert list(folder(tmp_path).captions()) == ["A, B, 1 of 4", "b, 1 of 4"]


def test_no_audio_is_kept(tmp_path: Path) -> None:
    song(tmp_path / "a.wav", ramp(60.0))
    made = folder(tmp_path)
    made.clip(0)
    assert len(pickle.dumps(made)) < 2_000


def test_what_is_known_is_kept_of_a_bounded_number_of_tracks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        song(tmp_path / f"{number}.wav")
    monkeypatch.setattr(tracks, "REMEMBERED", 3)
    made = folder(tmp_path)
    assert list(made.captions()) == list(made.captions())
    assert len(made._told) == 3


def test_an_index_outside_is_refused(tmp_path: Path) -> None:
    song(tmp_path / "a.wav")
    with pytest.raises(IndexError):
        folder(tmp_path)[1]
    with pytest.raises(IndexError):
        folder(tmp_path)[-1]


# captions


def test_validation_tells_all_fields_in_order_in_every_epoch(tmp_path: Path) -> None:
    for name in "ab":
        song(
            tmp_path / f"{name}.ogg",
            title="Crossroads",
            artist="NeonCorridor",
            album="HyperRogue",
            genre="Game",
            date="2013-01-01",
        )
    made = validation(tmp_path)
    for epoch in range(9):
        text = made.clip(0, epoch).text
        assert re.sub(r"\d of", "k of", text) == (
            "Crossroads, NeonCorridor, HyperRogue, Game, 2013, k of 4"
        )


def test_training_shuffles_drops_and_joins_as_published(tmp_path: Path) -> None:
    song(tmp_path / "a.ogg", title="Aa", artist="Bb", album="Cc", genre="Dd", date="2013")
    made = folder(tmp_path, length=5 * RATE)
    texts = [made.clip(0, epoch).text for epoch in range(300)]
    assert len(set(texts)) > 200
    assert 100 < sum("," in text for text in texts) < 200
    words = Counter(word for text in texts for word in re.findall(r"1 of 1|\w+", text))
    assert set(words) == {"Aa", "Bb", "Cc", "Dd", "2013", "1 of 1"}
    assert all(0.83 < count / 300 < 0.97 for count in words.values())


def test_drop_is_an_option(tmp_path: Path) -> None:
    song(tmp_path / "a.wav")
    assert folder(tmp_path, drop=1.0).clip(0).text == ""


def test_tags_debris_is_left_out(tmp_path: Path) -> None:
    song(
        tmp_path / "a.ogg",
        title=["Caribbean", "Crossroads"],
        artist="<Unknown>",
        album="(None)",
        genre="http://www.shawnparrotte.com",
        date="",
    )
    assert list(folder(tmp_path).captions()) == ["Crossroads, 1 of 4"]


def test_shift_jis_bytes_in_a_tag_are_left_out(tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac", title="TITLE-OF-SONG", artist="Kenta Cho")
    path.write_bytes(
        path.read_bytes().replace(b"TITLE-OF-SONG", b"\x83p\x81[\x83Z\x83N\x83\x89\x83C!")
    )
    assert list(folder(tmp_path).captions()) == ["Kenta Cho, 1 of 4"]


def test_a_file_of_which_nothing_is_known_is_called_by_its_name(tmp_path: Path) -> None:
    song(tmp_path / "my_first  song.wav")
    assert list(folder(tmp_path).captions()) == ["my first song, 1 of 4"]


def test_a_text_beside_a_song_is_its_whole_caption(tmp_path: Path) -> None:
    song(tmp_path / "a.ogg", title="Tag")
    (tmp_path / "a.txt").write_text("\ufeffslow Jazz,\n with a  flute 🎵\n", encoding="utf-8")
    made = folder(tmp_path)
    assert list(made.captions()) == ["slow Jazz, with a flute 🎵"]
    assert {made.clip(0, epoch).text for epoch in range(20)} == {"slow Jazz, with a flute 🎵"}


@pytest.mark.parametrize(
    ("content", "caption"),
    [
        ({"caption": "slow jazz"}, "slow jazz"),
        ({"prompt": "slow jazz", "title": "no"}, "slow jazz"),
        ({"text": ["slow jazz", ""]}, "slow jazz"),
        ({"caption": "", "text": [], "title": "T"}, "T, 1 of 4"),
        ({"Title": "T", "artist": ["A", "B"], "year": 1999, "bpm": 120}, "T, A, B, 1999, 1 of 4"),
        ({"genre": "(17)", "date": "2001-02-03"}, "Rock, 2001, 1 of 4"),
    ],
)
def test_a_json_beside_a_song_tells_its_fields_or_its_caption(
    tmp_path: Path, content: dict[str, object], caption: str
) -> None:
    song(tmp_path / "a.ogg", title="Tag", artist="Tag")
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert list(folder(tmp_path).captions()) == [caption]


def test_a_text_goes_before_a_json_and_an_empty_one_counts_as_none(tmp_path: Path) -> None:
    song(tmp_path / "a.ogg", title="Tag")
    (tmp_path / "a.json").write_text('{"caption": "from json"}')
    (tmp_path / "a.txt").write_text("from text")
    assert list(folder(tmp_path).captions()) == ["from text"]
    (tmp_path / "a.txt").write_text(" \n")
    assert list(folder(tmp_path).captions()) == ["from json"]
    (tmp_path / "a.json").unlink()
    assert list(folder(tmp_path).captions()) == ["Tag, 1 of 4"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "a.json",
            b'{"caption": ',
            "a.json (not JSON: Expecting value at line 1, column 13)",
        ),
        (
            "a.json",
            b"",
            "a.json (not JSON: Expecting value at line 1, column 1)",
        ),
        (
            "a.json",
            b"[1, 2]",
            "a.json (no JSON object with fields by name)",
        ),
        (
            "a.json",
            b'{"bpm": 120, "title": ""}',
            (
                "a.json (none of the keys caption, prompt, text, title, artist, album, genre, year "
                "says anything)"
            ),
        ),
        ("a.json", b"[" * 99_999, "a.json (nested too deep)"),
        ("a.txt", b"caf\xe9", "a.txt (not UTF-8 text)"),
    ],
)
def test_a_song_with_a_bad_sidecar_is_left_out_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    song(tmp_path / "a.wav")
    song(tmp_path / "b.wav")
    (tmp_path / name).write_bytes(content)
    made = folder(tmp_path)
    assert places(made) == ["b.wav"]
    sidecar, why = reason.split(" ", 1)
    assert made.skipped_files() == [f"{tmp_path}/a.wav: its sidecar {sidecar} can't be used {why}"]


def test_a_sidecar_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song(tmp_path / "a.wav")
    song(tmp_path / "b.wav")
    (tmp_path / "a.txt").write_text("x")

    def refused(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert folder(tmp_path).skipped_files() == [
        f"{tmp_path}/a.wav: its sidecar a.txt can't be used (Permission denied)"
    ]


def test_of_several_captions_one_is_drawn_each_time_always_the_same(tmp_path: Path) -> None:
    told = ["slow jazz", "jazz,\n with a flute", "a flute"]
    for name in ("a", "b"):
        song(tmp_path / f"{name}.ogg")
        (tmp_path / f"{name}.json").write_text(json.dumps({"caption": told}))
    made, expected = folder(tmp_path), [" ".join(text.split()) for text in told]
    assert list(made.captions()) == 2 * expected
    drawn = [made.clip(0, epoch).text for epoch in range(60)]
    counts = Counter(drawn)
    assert set(counts) == set(expected)
    assert min(counts.values()) >= 10
    assert drawn == [folder(tmp_path).clip(0, epoch).text for epoch in range(60)]
    assert drawn != [made.clip(1, epoch).text for epoch in range(60)]
    held = folder(tmp_path, "validation", validation=0.5)
    assert {held.clip(0, epoch).text for epoch in range(9)} == {"slow jazz"}


@pytest.mark.parametrize(
    ("audio", "beside"),
    [
        ("Caf\u00e9.flac", "Cafe\u0301.txt"),
        ("Cafe\u0301.flac", "Caf\u00e9.TXT"),
        ("song.flac", "song.TXT"),
        ("song.flac", "song.flac.txt"),
        ("song.FLAC", "song.FLAC.Txt"),
        ("1. Mr. Song.flac", "1. Mr. Song.Json"),
        ("song.flac", "song.flac.json"),
    ],
)
def test_a_sidecar_is_found_however_its_name_is_written(
    tmp_path: Path, audio: str, beside: str
) -> None:
    song(tmp_path / "a.flac").rename(tmp_path / audio)
    text = '{"caption": "slow jazz"}' if beside.lower().endswith("json") else "slow jazz"
    (tmp_path / beside).write_text(text)
    assert list(folder(tmp_path).captions()) == ["slow jazz"]
    (tmp_path / beside).write_text(text.replace("slow", "fast"))
    assert list(folder(tmp_path).captions()) == ["fast jazz"]


def test_songs_whose_names_are_alike_have_the_sidecars_of_exactly_their_names(
    tmp_path: Path,
) -> None:
    for name in ("Caf\u00e9", "Cafe\u0301", "song", "Song"):
        song(tmp_path / f"{name}.flac")
        (tmp_path / f"{name}.txt").write_text(ascii(name))
    (tmp_path / "song.TXT").write_text("other")
    song(tmp_path / "SONG.wav")
    made = folder(tmp_path)
    told = dict(zip(places(made), made.captions(), strict=True))
    assert told.pop("SONG.wav") == "SONG, 1 of 4"
    assert told == {name: ascii(name.removesuffix(".flac")) for name in told}


def test_keys_beside_music_that_no_caption_takes_are_told_once(tmp_path: Path) -> None:
    said = {
        "title": "T",
        "bpm": 120,
        "key": "A minor",
        "tags": [],
        "package": "p",
        "license": "CC0-1.0",
    }
    for name in ("a", "b"):
        song(tmp_path / f"{name}.ogg")
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
        said.pop("key", None)
    for made in (folder(tmp_path), folder(tmp_path)):  # the second one from the index
        assert list(made.captions()) == ["T, 1 of 4"] * 2
        assert [track.licence for track in made.tracks] == ["CC0-1.0"] * 2
        assert made.skipped_files() == []
        (told,) = made.remarks()
        assert told == (
            f"{tmp_path}: no caption takes these keys: 'bpm' (2 x), 'key' (1 x); put what they "
            "say into `caption`"
        )


# metadata of a folder


CSV = 'file_name,text,bpm\na.wav,slow jazz,\nsub/caf\u00e9.wav,"loud, fast",\n'
JSONL = (
    '{"file_name": "a.wav", "caption": ["slow jazz"], "license": "MIT"}\n\n'
    '{"file_name": "./sub/caf\u00e9.wav", "caption": "loud, fast"}\n'
)


@pytest.mark.parametrize(("name", "text"), [("metadata.csv", CSV), ("metadata.jsonl", JSONL)])
@pytest.mark.parametrize("below", ["", "train"])
def test_captions_come_from_a_folders_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, below: str
) -> None:
    for audio in ("a.wav", "b.wav", "sub/cafe\u0301.wav"):
        song(tmp_path / below / audio)
    (tmp_path / below / name).write_text("\ufeff" + text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, Path()):
        made = folder(path)
        assert list(made.captions()) == ["slow jazz", "b, 1 of 4", "loud, fast"]
        assert made.skipped_files() == []
    (tmp_path / below / "a.txt").write_text("its own")
    (tmp_path / below / name).write_text(text.replace("loud", "very loud"))
    assert list(folder(tmp_path).captions()) == ["its own", "b, 1 of 4", "very loud, fast"]
    (tmp_path / below / name).unlink()
    assert list(folder(tmp_path).captions())[1:] == ["b, 1 of 4", "cafe\u0301, 1 of 4"]


def test_fields_and_licences_come_from_a_folders_metadata_and_the_nearest_one_counts(
    tmp_path: Path,
) -> None:
    for audio in ("a.wav", "sub/b.wav"):
        song(tmp_path / audio)
    (tmp_path / "metadata.csv").write_text("file_name,title,Licence\na.wav,T,MIT\nsub/b.wav,no,\n")
    (tmp_path / "sub/metadata.jsonl").write_text('{"file_name": "b.wav", "title": "B", "bpm": 9}')
    made = folder(tmp_path)
    assert list(made.captions()) == ["T, 1 of 4", "B, 1 of 4"]
    assert [track.licence for track in made.tracks] == ["MIT", ""]
    assert made.remarks() == [
        f"{tmp_path}: no caption takes these keys: 'bpm' (1 x); put what they say into `caption`"
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("metadata.csv", b"name,text\na.wav,x\n", "it has no column 'file_name'"),
        ("metadata.csv", b"file_name,text\na.wav,caf\xe9\n", "not UTF-8 text"),
        ("metadata.jsonl", b"\nnone\n", "line 2 is not JSON"),
        ("metadata.jsonl", b"[1]", "line 1 has no 'file_name'"),
    ],
)
def test_metadata_that_can_t_be_used_is_told(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    song(tmp_path / "a.ogg", title="T")
    (tmp_path / name).write_bytes(content)
    made = folder(tmp_path)
    assert list(made.captions()) == ["T, 1 of 4"]
    assert made.skipped_files() == []
    assert made.remarks() == [
        (
            f"{tmp_path}/{name}: can't be used, so that songs go by sidecars and tags ({reason}); "
            "mend it"
        )
    ]


A_ROW, B_ROW = '{"file_name": "a.wav", "text": "x"}', '{"file_name": "b.wav", "text": "z"}'


@pytest.mark.parametrize(
    ("name", "lines", "bad"),
    [
        (
            "metadata.jsonl",
            [A_ROW, "", "none", "[1]", '{"text": "y"}', B_ROW],
            "3 (is not JSON), 4 (has no 'file_name'), 5 (has no 'file_name')",
        ),
        (
            "metadata.jsonl",
            [A_ROW, *["no"] * 6, B_ROW],
            "2 (is not JSON), 3 (is not JSON), 4 (is not JSON), 5 (is not JSON) and 2 more",
        ),
        (
            "metadata.csv",
            ["text,file_name", "x,a.wav", "lost", "z,b.wav"],
            "3 (has no 'file_name')",
        ),
    ],
)
def test_a_bad_row_of_metadata_is_left_out_alone(
    tmp_path: Path, name: str, lines: list[str], bad: str
) -> None:
    for audio in ("a.wav", "b.wav"):
        song(tmp_path / audio)
    (tmp_path / name).write_text("\n".join(lines))
    made = folder(tmp_path)
    assert list(made.captions()) == ["x", "z"]
    assert made.remarks() == [
        f"{tmp_path}/{name}: lines that can't be used are left out: {bad}; mend them"
    ]


def test_captions_that_no_music_has_are_told_in_one_line(tmp_path: Path) -> None:
    for audio in ("a.wav", "sub/b.flac", "sub/b.m4a"):
        song(tmp_path / audio) if not audio.endswith("m4a") else (tmp_path / audio).touch()
    own = ("a.txt", "a.wav.json", "README.txt", ".hidden.txt", "sub/b.JSON", "notes/of.txt")
    (tmp_path / "notes").mkdir()
    for name in (*own, "sub/c.txt", "sub/c.json", "A.json"):
        (tmp_path / name).write_text('{"title": "T"}')
    for made in (folder(tmp_path), folder(tmp_path)):  # the second one from the index
        assert made.remarks() == [
            (
                f"{tmp_path}: captions share no name with music (3, the first is 'A.json'); call "
                "them as the music is, or leave them be"
            )
        ]


def test_metadata_of_music_that_is_not_there_is_told(tmp_path: Path) -> None:
    song(tmp_path / "a.wav")
    (tmp_path / "metadata.csv").write_text("file_name,text\na.wav,x\nb.wav,y\nsub/c.wav,z\n")
    made = folder(tmp_path)
    assert list(made.captions()) == ["x"]
    assert made.remarks() == [
        (
            f"{tmp_path}/metadata.csv: names files that are no music here: 2 (the first is "
            f"'{tmp_path}/b.wav')"
        )
    ]


# held-out tracks


def test_no_track_is_in_both_splits_and_none_is_lost(tmp_path: Path) -> None:
    for number in range(20):
        song(tmp_path / f"{number}.wav", ramp(1.5))
    train, held = folder(tmp_path, validation=0.3), folder(tmp_path, "validation", validation=0.3)
    assert set(places(train)).isdisjoint(places(held))
    assert len(train) + len(held) == 20
    names = sorted(f"{number}.wav" for number in range(20))
    assert places(held) == list(compress(names, mk.validation_mask(names, 0.3)))


def test_a_single_track_is_for_training(tmp_path: Path) -> None:
    song(tmp_path / "a.wav")
    assert len(folder(tmp_path, validation=0.5)) == 1
    assert len(validation(tmp_path)) == 0


# what is bad


def test_bad_files_are_left_out_with_the_reason(tmp_path: Path) -> None:
    song(tmp_path / "good.wav")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no music" * 100)
    song(tmp_path / "nothing.wav", torch.zeros(1, 0))
    (tmp_path / "apple.m4a").write_bytes(b"ftyp")
    (tmp_path / "gone.ogg").symlink_to(tmp_path / "nowhere.ogg")
    (tmp_path / "folder.wav").mkdir()
    song(tmp_path / "cut.ogg").write_bytes(song(tmp_path / "cut.ogg").read_bytes()[:300])
    os.mkfifo(tmp_path / "pipe.wav")
    made = folder(tmp_path)
    assert places(made) == ["good.wav"]
    lines = {line.removeprefix(f"{tmp_path}/") for line in made.skipped_files()}
    assert lines == {
        "empty.wav: is empty (0 bytes); leave it out",
        "text.wav: is no audio file that can be read (Format not recognised)",
        "nothing.wav: holds no audio; leave it out",
        "apple.m4a: .m4a files are not read; convert it to FLAC",
        "gone.ogg: does not exist",
        "cut.ogg: is no audio file that can be read (Supported file format but file is malformed)",
        "pipe.wav: is no regular file; leave it out",
    }


def test_files_that_may_not_be_read_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song(tmp_path / "a.wav")
    song(tmp_path / "b.wav")
    plain = Path.open

    def refused(self: Path, mode: str = "r", **rest: Any) -> Any:
        if self.name == "a.wav":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return plain(self, mode, **rest)

    monkeypatch.setattr(Path, "open", refused)
    assert folder(tmp_path).skipped_files() == [
        f"{tmp_path}/a.wav: can't be read (Permission denied)"
    ]


def test_folders_that_may_not_be_listed_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song(tmp_path / "a.wav")
    song(tmp_path / "closed" / "b.wav")
    plain = os.scandir

    def refused(path: str) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert folder(tmp_path).skipped_files() == [
        f"{tmp_path}/closed: can't be listed (Permission denied)"
    ]


def test_a_folder_of_bad_files_is_one_error_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.mp3").touch()
    assert refusal(tmp_path) == (
        f"{tmp_path}: holds no music that can be used:\n"
        f"{tmp_path}/a.wav: is empty (0 bytes); leave it out\n"
        f"{tmp_path}/b.mp3: is empty (0 bytes); leave it out"
    )


def test_of_many_bad_files_the_first_ten_are_told(tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"{number:02}.wav").touch()
    lines = refusal(tmp_path).splitlines()
    assert len(lines) == 12
    assert lines[-1] == f"{tmp_path}: 5 more files can't be used"


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    assert refusal(path) == (
        f"{path}: there is no such folder; `path` names the folder of your music"
    )


def test_a_file_in_a_folders_place(tmp_path: Path) -> None:
    path = song(tmp_path / "a.wav")
    assert refusal(path) == f"{path}: is no folder; `path` names the folder of your music"


def test_a_folder_without_music(tmp_path: Path) -> None:
    (tmp_path / "notes.pdf").touch()
    assert refusal(tmp_path) == (
        f"{tmp_path}: holds no music, nor do folders in it (.flac, .mp3, .oga, .ogg, .opus, .wav)"
    )


def test_a_relative_path_is_told_with_the_folder_that_it_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mk.AudioError) as refused:
        folder(Path("music"))
    assert str(refused.value) == (
        f"music: there is no such folder in {tmp_path}; `path` names the folder of your music"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"path": ""},
        {"validation": 0.6},
        {"validation": -0.1},
        {"crops": 0},
        {"drop": 1.5},
        {"x": 1},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        Folder.Options.model_validate({"path": "x", **options})


# what only shows when decoding


def test_a_silent_crop_is_taken_at_another_place_always_the_same(tmp_path: Path) -> None:
    wave = torch.zeros(1, 30 * RATE)
    wave[:, 20 * RATE : 23 * RATE] = 0.5
    song(tmp_path / "a.wav", wave)
    made = folder(tmp_path, drop=0.0)
    for epoch in range(20):
        clip = made.clip(0, epoch)
        assert clip.wave.abs().max() == 0.5
        assert torch.equal(clip.wave, made.clip(0, epoch).wave)
        mark = re.search(r"(\d+) of 30", clip.text)
        assert mark is not None
        assert 20 <= int(mark[1]) <= 23


def test_a_track_that_is_silent_everywhere_is_an_error(tmp_path: Path) -> None:
    path = song(tmp_path / "a.wav", torch.full((2, 4 * RATE), 5e-5))
    with pytest.raises(mk.AudioError) as caught:
        folder(tmp_path).clip(0)
    assert str(caught.value) == (
        f"{path}: is silent (peak under -80 dB) at each of 16 places; leave it out"
    )
    path = song(tmp_path / "a.wav", torch.zeros(2, 100))
    with pytest.raises(mk.AudioError) as caught:
        folder(tmp_path).clip(0)
    assert str(caught.value) == (
        f"{path}: is silent (peak under -80 dB) from end to end; leave it out"
    )


def test_a_crop_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    wave = ramp(1.5)
    wave[:, 6_000] = float("nan")
    path = song(tmp_path / "a.wav", wave)
    with pytest.raises(mk.AudioError) as caught:
        folder(tmp_path).clip(0)
    assert str(caught.value) == (
        f"{path}: holds samples that are not finite (NaN or infinity); leave it out"
    )


def test_a_tail_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = song(tmp_path / "a.mp3", torch.randn(2, 20 * RATE) / 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 4])
    made = folder(tmp_path, crops=4)
    assert made.clip(0).wave.shape == (2, LENGTH)
    with pytest.raises(mk.AudioError, match=r"is cut short at .* s; its header promises 20\.00 s"):
        made.clip(3)


def test_a_file_that_disappears_is_an_error(tmp_path: Path) -> None:
    path = song(tmp_path / "a.wav")
    made = folder(tmp_path)
    path.unlink()
    with pytest.raises(mk.AudioError) as caught:
        made.clip(0)
    assert str(caught.value) == f"{path}: does not exist"


def test_clips_can_be_read_by_many_threads_at_once(tmp_path: Path) -> None:
    song(tmp_path / "a.ogg")
    made, waves = folder(tmp_path), []
    threads = [threading.Thread(target=lambda: waves.append(made.clip(0).wave)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waves) == 8
    assert all(torch.equal(wave, waves[0]) for wave in waves)


def test_the_places_tried_for_sound_cover_the_track() -> None:
    places = sorted(attempt * tracks.GOLDEN % 1 for attempt in range(tracks.PLACES))
    gaps = [after - before for before, after in zip(places, [*places[1:], 1.0], strict=True)]
    assert max(gaps) < 0.1
