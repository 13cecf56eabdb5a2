"""WebDataset: tar shards become crops with captions; what is bad is left out and told."""

import json
import pickle
import tarfile
import tracemalloc
from io import BytesIO
from itertools import compress
from pathlib import Path

import nano
import numpy as np
import pytest
import soundfile
import tar_shards
import torch
from webdataset.tariterators import group_by_keys, tar_file_expander

import mousai_kit.api as mk
from mousai_kit.data.track_stats import pieces
from mousai_kit_shards import web_dataset
from mousai_kit_shards.members import Members
from mousai_kit_shards.part import Part
from mousai_kit_shards.shard_index import Shard, ShardIndex
from mousai_kit_shards.shard_tracks import ShardTable
from mousai_kit_shards.web_dataset import WebDataset

RATE = nano.RATE


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ramp(seconds=4.5, **tags):
    """Return a FLAC file whose samples say the time: 0.1 a second, from 0.1 on."""
    file = BytesIO()
    wave = 0.1 + 0.1 * np.arange(round(seconds * RATE)) / RATE
    with soundfile.SoundFile(file, "w", RATE, 1, "PCM_24", format="FLAC") as sound:
        for name, value in tags.items():
            setattr(sound, name, value)
        sound.write(wave)
    return file.getvalue()


def of(shards="music", split="train", length=RATE, **options):
    return WebDataset(
        WebDataset.Options(shards=str(shards), **{"validation": 0.0, **options}),
        sample_rate=RATE,
        channels=2,
        length=length,
        split=split,
    )


def theirs_of(path):
    """Return a shard's samples as the library reads them."""
    with path.open("rb") as file:
        return list(group_by_keys(tar_file_expander([{"url": str(path), "stream": file}])))


def keys(made):
    return [track.name for track in made.tracks]


def refusal(shards="music", **options):
    with pytest.raises(mk.AudioError) as caught:
        of(shards, **options)
    return str(caught.value)


def clip_refusal(made):
    with pytest.raises(mk.AudioError) as caught:
        made.clip(0)
    return str(caught.value)


# what is found


def test_samples_are_those_that_the_library_reads():
    for number in range(3):
        samples = {
            f"{folder}{number}-{song}": {"flac": ramp(1 + song), "txt": f"song {number} {song}"}
            for song, folder in enumerate(("", "a.b/", "a/deep/"))
        }
        tar_shards.shard(f"music/{number:03}.tar", samples)
    made = of("music/{000..002}.tar", length=5 * RATE)
    theirs = [it for number in range(3) for it in theirs_of(Path(f"music/{number:03}.tar"))]
    assert keys(made) == [it["__key__"] for it in theirs]
    assert [made.clip(it).text for it in range(9)] == [it["txt"].decode() for it in theirs]
    for index, sample in enumerate(theirs):
        wave, _ = soundfile.read(BytesIO(sample["flac"]), dtype="float32")
        assert torch.equal(made.clip(index).wave[0, : len(wave)], torch.from_numpy(wave))


def test_a_folders_shards_are_read_in_the_order_of_their_names():
    for name in ("b", "a", ".hidden"):
        tar_shards.shard(f"music/{name}.tar", {f"{name}1": {"flac": ramp()}})
    Path("music/notes.txt").write_text("no shard")
    assert keys(of()) == ["a1", "b1"]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_every_format_is_read(name):
    data = tar_shards.sound(name, seconds=3, hertz=200)
    tar_shards.shard("music/0.tar", {"a": {name[2:]: data}, "b": {name[2:].upper(): data}})
    for clip in of():
        assert clip.wave.shape == (2, RATE)
        assert torch.fft.rfft(clip.wave).abs().argmax(-1).tolist() == [200, 200]


def test_a_crop_is_the_part_of_the_sample_that_its_mark_says():
    tar_shards.shard("music/0.tar", {key: {"flac": ramp(title="T")} for key in "abc"})
    for clip in of(crops=9, drop=0.0):
        start = (clip.wave[0, 0].item() - 0.1) * 10
        expected = 0.1 + 0.1 * (start + torch.arange(RATE) / RATE)
        assert torch.allclose(clip.wave, expected.expand(2, -1), atol=1e-5)
        assert f"{int(start + 1e-4) + 1} of 4" in clip.text


def test_its_samples_are_measured_and_looked_at_where_they_lie():
    tar_shards.shard("music/0.tar", {key: {"flac": ramp(license="CC0-1.0")} for key in "abc"})
    found = list(pieces(of(), "train", sample_rate=RATE))
    assert [it.fault for it in found] == [""] * 3
    assert [it.measures.seconds for it in found] == [4.5] * 3
    assert [it.licence for it in found] == ["CC0-1.0"] * 3


def test_crops_and_splits_are_the_same_however_samples_are_put_into_shards():
    names = [f"{number:04}" for number in range(12)]
    samples = {name: {"flac": ramp(), "txt": name} for name in names}
    tar_shards.shard("one/0.tar", samples)
    for number in range(4):
        part = {name: samples[name] for name in names[3 * number : 3 * number + 3]}
        tar_shards.shard(f"four/{number}.tar", part)
    for split in ("train", "validation"):
        one, four = (list(of(it, split, validation=0.3)) for it in ("one", "four"))
        assert [it.text for it in one] == [it.text for it in four]
        assert all(torch.equal(a.wave, b.wave) for a, b in zip(one, four, strict=True))
    held = of("one", "validation", validation=0.3)
    assert keys(held) == list(compress(names, mk.validation_mask(names, 0.3)))
    assert len(held) + len(of("one", validation=0.3)) == 12


def test_a_key_in_two_shards_is_two_samples_on_one_side():
    for number in range(2):
        samples = {str(it): {"flac": ramp(1 + number)} for it in range(6)}
        tar_shards.shard(f"music/{number}.tar", samples)
    train, held = of(validation=0.5), of(split="validation", validation=0.5)
    assert set(keys(train)).isdisjoint(keys(held))
    assert len(train) + len(held) == 12
    assert len({clip.source for clip in held}) == len(held)


# captions


@pytest.mark.parametrize(
    ("members", "caption"),
    [
        ({"txt": "slow\njazz ", "json": {"title": "J"}}, "slow jazz"),
        ({"txt": " ", "json": {"title": "J", "year": 1999}}, "J, 1999, 1 of 4"),
        ({"json": {"text": ["slow jazz", ""]}}, "slow jazz"),
        ({}, "Tag, 1 of 4"),
    ],
)
def test_a_caption_is_the_text_or_the_json_or_the_tags(members, caption):
    tar_shards.shard("music/0.tar", {"a": {"flac": ramp(title="Tag"), **members}})
    assert list(of().captions()) == [caption]


def test_a_sample_of_which_nothing_is_known_is_called_by_its_key():
    tar_shards.shard("music/0.tar", {"a/my_song": {"flac": ramp()}})
    assert list(of().captions()) == ["my song, 1 of 4"]


def test_the_endings_that_count_can_be_said():
    members = {"mix.flac": ramp(), "drums.flac": ramp(2), "txt": "no", "lyrics.txt": "la la"}
    tar_shards.shard("music/0.tar", {"a": members})
    made = of(audio="mix.flac", text="lyrics.txt")
    assert list(made.captions()) == ["la la"]
    assert made.clip(0).source == "music/0.tar/a.mix.flac"
    assert made.tracks[0].seconds == 4.5


DOTTED = ("01. Intro", "02. Mr. Someone", "02. Mr. Someone (live)", "S.O.S", "a.b/T.N.T. (2)")


def test_a_dot_in_a_songs_name_loses_neither_song_nor_caption():
    songs = {
        key: {"flac": ramp(1 + number), "txt": f"caption of {key}"}
        for number, key in enumerate(DOTTED)
    }
    tar_shards.shard("music/0.tar", songs)
    made = of(length=RATE // 2)
    assert made.skipped_files() == []
    assert keys(made) == [*DOTTED[:3], "S", DOTTED[4]]
    assert [track.path.stem for track in made.tracks] == [Path(f"{key}.flac").stem for key in songs]
    assert list(made.captions()) == [f"caption of {key}" for key in DOTTED]
    assert [track.seconds for track in made.tracks] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_songs_with_equal_numbers_stand_apart_also_where_others_lie_between_them():
    tar_shards.shard("music/0.tar", {key: {"flac": ramp()} for key in ("1. A", "2. B", "1. C")})
    assert (keys(of()), of().skipped_files()) == (["1. A", "2. B", "1. C"], [])


def test_captions_that_share_no_name_with_music_are_told():
    samples = {"1. A": {"flac": ramp()}, "1. B": {"txt": "b"}, "2": {"flac": ramp(), "x.txt": "c"}}
    samples["3"] = {"flac": ramp(), "txt": "d", "x.json": {}}
    tar_shards.shard("music/0.tar", samples)
    assert of().skipped_files() == [
        "music/0.tar/1. B: has no music that is read (it has 'txt')",
        (
            "music/0.tar: captions share no name with music (1, the first is '2.x.txt'); "
            "call them as the music is, or say which with `text`"
        ),
    ]
    assert list(of(text="x.txt").captions()) == ["c"]


def test_keys_that_no_caption_takes_are_told_once_for_all_shards():
    for number in range(2):
        about = {"title": "T", "bpm": 120, **({"key": "A"} if number else {})}
        tar_shards.shard(f"music/{number}.tar", {str(number): {"flac": ramp(), "json": about}})
    for made in (of(), of()):  # the second one from the indexes
        assert made.remarks() == [
            (
                "music: no caption takes these keys: 'bpm' (2 x), 'key' (1 x); put what they say "
                "into `caption`"
            )
        ]


# the index


def test_shards_are_looked_through_once(monkeypatch):
    tar_shards.shard("music/0.tar", {"a": {"flac": ramp()}, "b": {"flac": b"no audio"}})
    first = of()
    assert nano.names("music") == [".0.tar.index", "0.tar"]
    monkeypatch.setattr(mk, "audio_info", None)
    again = of()
    assert again.skipped_files() == first.skipped_files() != []
    assert torch.equal(again.clip(0, 3).wave, first.clip(0, 3).wave)


@pytest.mark.parametrize("content", [b"", b"broken", None])
def test_an_index_that_is_broken_or_another_shards_is_made_anew(content):
    tar_shards.shard("music/0.tar", {"a": {"flac": ramp(), "json": {"title": "A"}}})
    of()
    if content is None:
        tar_shards.shard("music/0.tar", {"b": {"flac": ramp(), "json": {"title": "Bb"}}})
    else:
        Path("music/.0.tar.index").write_bytes(content)
    before = Path("music/.0.tar.index").read_bytes()
    assert keys(of()) == ["a" if content is not None else "b"]
    assert Path("music/.0.tar.index").read_bytes() != before


def test_an_index_is_of_the_endings_that_count():
    tar_shards.shard("music/0.tar", {"a": {"x.flac": ramp(2), "y.flac": ramp(3)}})
    assert of(audio="x.flac").tracks[0].seconds == 2
    assert of(audio="y.flac").tracks[0].seconds == 3


def test_where_no_index_can_be_kept_that_is_said():
    tar_shards.shard("music/0.tar", {"a": {"flac": ramp()}})
    tar_shards.shard("music/1.tar", {"b": {"flac": ramp()}})
    with nano.full_disk(100):
        made = of()
    assert keys(made) == ["a", "b"]
    assert made.remarks() == [
        (
            "music: no index can be kept here (File too large): every start looks through the "
            "shards anew"
        )
    ]
    assert nano.names("music") == ["0.tar", "1.tar"]


# what is bad

BAD_JSON, START = "its caption (json) can't be used", "line 1, column 1"


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"flac": b"no audio"}, "is no audio file that can be read (Format not recognised)"),
        ({"flac": b""}, "is empty (0 bytes); leave it out"),
        ({"m4a": b"?", "txt": "A"}, "has no music that is read (it has 'm4a', 'txt')"),
        (
            {"mix.flac": b"?", "drums.wav": b"?"},
            "has several pieces of music ('drums.wav', 'mix.flac'); say which with `audio`",
        ),
        ({"flac": ramp(), "json": b""}, f"{BAD_JSON} (not JSON: Expecting value at {START})"),
        ({"flac": ramp(), "txt": b"caf\xe9"}, "its caption (txt) can't be used (not UTF-8 text)"),
    ],
)
def test_a_bad_sample_is_left_out_with_the_reason(members, what):
    tar_shards.shard("music/0.tar", {"bad": members, "good": {"flac": ramp()}})
    made = of()
    assert keys(made) == ["good"]
    assert made.skipped_files() == [f"music/0.tar/bad: {what}"]


def test_a_sample_without_the_endings_asked_for_is_left_out():
    full = {"flac": ramp(), "txt": "A"}
    tar_shards.shard("music/0.tar", {"a": full, "b": {"wav": b"?"}, "c": {"flac": ramp()}})
    assert of(audio="flac", text="txt").skipped_files() == [
        "music/0.tar/b: has no 'flac' (it has 'wav')",
        "music/0.tar/c: has no 'txt' (it has 'flac')",
    ]


def test_members_that_stand_twice_are_told():
    with tarfile.open("0.tar", "w") as tar:
        for name in ("a.flac", "a.flac", "b.flac", "c.flac", "b.flac"):
            info = tarfile.TarInfo(name)
            info.size = len(ramp())
            tar.addfile(info, BytesIO(ramp()))
    made = of("0.tar")
    assert keys(made) == ["b", "c"]
    assert made.skipped_files() == [
        "0.tar/a: has two members with the same ending; leave one out",
        "0.tar/b: stands twice in this shard; the first one counts",
    ]


@pytest.mark.parametrize(("keep", "fault"), [(0.8, "unexpected end of data"), (1, "it has no end")])
def test_of_a_shard_that_is_cut_short_the_whole_samples_are_read(keep, fault):
    path = tar_shards.shard("music/0.tar", {key: {"flac": ramp()} for key in "abc"})
    with tarfile.open(path) as tar:
        end = tar.getmembers()[-1].offset_data + tar.getmembers()[-1].size
    path.write_bytes(path.read_bytes()[: int(-(-end // 512) * 512 * keep)])
    made = of()
    assert keys(made) == ["a", "b", "c"][: 2 if keep < 1 else 3]
    assert made.skipped_files() == [
        f"music/0.tar: is cut short or damaged ({fault}); what follows is left out"
    ]


def test_a_shard_that_is_none_is_left_out():
    tar_shards.shard("music/0.tar", {"a": {"flac": ramp()}})
    Path("music/1.tar").write_bytes(b"no tar" * 1000)
    tar_shards.zipped(Path("music/0.tar")).rename("music/2.tar")
    Path("music/3.tar").write_bytes(b"")
    reasons = ["invalid header", "invalid header", "empty file"]
    assert of().skipped_files() == [
        f"music/{number}.tar: is no tar that can be read ({why}); a compressed one must be unpacked"
        for number, why in enumerate(reasons, 1)
    ]


def test_shards_that_hold_no_music_are_refused_with_the_reasons():
    tar_shards.shard("music/0.tar", {str(it): {"txt": "A"} for it in range(12)})
    reason = "has no music that is read (it has 'txt')"
    assert refusal().splitlines() == [
        "music: holds no music that can be used:",
        *(f"music/0.tar/{it}: {reason}" for it in range(10)),
        "music: 2 more samples can't be used",
    ]


def test_shards_that_are_missing_are_all_named():
    tar_shards.shard("music/1.tar", {"a": {"flac": ramp()}})
    expected = "music/{}.tar: there is no such shard"
    assert refusal("music/{0..2}.tar").splitlines() == [expected.format(0), expected.format(2)]
    lines = refusal("music/{2..20}.tar").splitlines()
    assert lines == [
        *(expected.format(it) for it in range(2, 12)),
        "music/{2..20}.tar: 9 more shards are missing",
    ]
    Path("empty").mkdir()
    assert refusal("empty") == "empty: holds no shards (.tar)"
    assert refusal("{0..1.tar") == "{0..1.tar: braces must come in pairs, none within another"


@pytest.mark.parametrize("shards", ["s3://music/0.tar", "https://a.b/{0..9}.tar", "pipe:cat 0"])
def test_shards_elsewhere_are_refused(shards):
    assert refusal(shards) == (
        f"{shards}: shards are read from this machine's disks and what is mounted there; mount "
        "the bucket, or copy them"
    )


# what changes in mid-run


def test_a_shard_that_disappears_or_changes_is_an_error():
    path = tar_shards.shard("music/0.tar", {"a": {"flac": ramp(), "txt": "A"}})
    made = of()
    path.rename("away.tar")
    assert clip_refusal(made) == "music/0.tar: can't be read (No such file or directory)"
    with pytest.raises(mk.AudioError):
        list(made.captions())
    tar_shards.shard("music/0.tar", {"b": {"flac": ramp(3), "txt": "B"}})
    expected = "music/0.tar: has changed since it was looked through; start again"
    assert clip_refusal(made) == expected


def test_a_disk_that_refuses_is_told_as_such(monkeypatch, capfd):
    tar_shards.shard("music/0.tar", {"a": {"flac": ramp()}})
    made = of()

    class Broken(BytesIO):
        def readinto(self, buffer):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(web_dataset, "Part", lambda file, *place: Part(Broken(), *place))
    assert clip_refusal(made) == "music/0.tar: can't be read (Input/output error)"
    assert capfd.readouterr() == ("", "")


# many


def test_a_million_samples_are_a_few_arrays():
    count = 5_000
    names = b"".join(f"folder/{it:09}.flac".encode() for it in range(count))
    arrays = {
        "numbers": np.tile(np.array([[512, 9000, 10_240, 80, 1]]), (count, 1)),
        "seconds": np.full(count, 30.0),
        "names": np.frombuffer(names, np.uint8),
        "ends": np.arange(1, count + 1) * 21,
    }
    index = ShardIndex(Shard(Path("music/0.tar"), 1, 1), arrays, [])
    table = ShardTable([index, index])
    tracks = table.tracks()
    assert len(pickle.dumps(tracks)) < 100 * count
    assert tracks[9_999] == tracks[-1] == tracks[-3:][2]
    assert tracks[9_999].name == "folder/000004999"
    assert tracks[9_999].text.name == "folder/000004999.json"
    tracemalloc.start()
    held = mk.validation_mask(table.keys(), 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held.sum() == pytest.approx(2 * count * 0.1, rel=0.2)
    assert peak < 200 * 2 * count


def test_a_shard_is_looked_through_in_constant_memory():
    with tarfile.open("0.tar", "w") as tar:
        for number in range(1_000):
            tar.addfile(tarfile.TarInfo(f"{number}.txt"))
    tracemalloc.start()
    assert sum(1 for _ in Members(Path("0.tar")).samples()) == 1_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


def test_a_copy_for_a_worker_is_small_and_the_same():
    tar_shards.shard("music/0.tar", {key: {"flac": ramp(30)} for key in "abc"})
    made = of()
    made.clip(0)
    data = pickle.dumps(made)
    assert len(data) < 5_000
    assert torch.equal(pickle.loads(data).clip(2, 4).wave, made.clip(2, 4).wave)


def test_only_the_crop_is_read(monkeypatch):
    tar_shards.shard("music/0.tar", {"a": {"wav": tar_shards.sound("a.wav", seconds=60)}})
    made, counts = of(), []
    plain = Part.readinto
    monkeypatch.setattr(
        Part, "readinto", lambda self, buffer: counts.append(plain(self, buffer)) or counts[-1]
    )
    made.clip(0)
    assert sum(counts) < 100_000 < 60 * 2 * RATE / 9


@pytest.mark.parametrize("bad", [{"shards": ""}, {"audio": ""}, {"validation": 0.6}, {"x": 1}])
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match="1 validation error"):
        WebDataset.Options.model_validate({"shards": "x", **bad})
    json.dumps(WebDataset.Options(shards="x").model_dump())
