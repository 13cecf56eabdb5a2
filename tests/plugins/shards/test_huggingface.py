"""HuggingFace: the rows of a data set become crops with captions; what is bad is left out."""

import pickle
import sys
from io import BytesIO
from itertools import compress
from pathlib import Path

import datasets
import fake_data_hub
import fake_hub
import nano
import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError
from saved_data import data_of, saved

import mousai_kit.api as mk
from mousai_kit_shards.hugging_face import HuggingFace

RATE = nano.RATE


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def flac(seconds=4.5, **tags):
    """Return a FLAC file whose samples say the time: 0.1 a second, from 0.1 on."""
    file = BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, "PCM_24", format="FLAC") as sound:
        for name, value in tags.items():
            setattr(sound, name, value)
        sound.write(0.1 + 0.1 * np.arange(round(seconds * RATE)) / RATE)
    return file.getvalue()


def row(data=None, path=None):
    return {"bytes": flac() if data is None else data, "path": path}


def of(path="music", part="train", length=RATE, **options):
    return HuggingFace(
        HuggingFace.Options(path=str(path), **{"validation": 0.0, **options}),
        sample_rate=RATE,
        channels=2,
        length=length,
        split=part,
    )


def refusal(path="music", **options):
    with pytest.raises(mk.AudioError) as caught:
        of(path, **options)
    return str(caught.value)


@pytest.mark.parametrize(("column", "options"), [("caption", {}), ("mood", {"text": ["mood"]})])
def test_of_a_column_of_lists_one_caption_is_drawn_each_time(column, options):
    saved("music", [row(), row()], **{column: [["slow", "dark"], ["fast"]]})
    made = of(**options)
    assert list(made.captions()) == ["slow", "dark", "fast"]
    drawn = [made.clip(0, epoch).text for epoch in range(20)]
    assert set(drawn) == {"slow", "dark"}
    assert drawn == [of(**options).clip(0, epoch).text for epoch in range(20)]


def test_a_crop_is_the_part_of_the_row_that_its_mark_says():
    saved("music", [row(flac(title="T")) for _ in range(3)])
    for clip in of(crops=9, drop=0.0):
        start = (clip.wave[0, 0].item() - 0.1) * 10
        expected = 0.1 + 0.1 * (start + torch.arange(RATE) / RATE)
        assert torch.allclose(clip.wave, expected.expand(2, -1), atol=1e-5)
        assert clip.text.replace(", ", " ").replace("T", "").strip() == (
            f"{int(start + 1e-4) + 1} of 4"
        )


@pytest.mark.parametrize("alone", [False, True])
def test_rows_are_those_that_were_saved(alone):
    saved("music", [row(flac(1 + it)) for it in range(4)], alone=alone)
    made = of(length=5 * RATE)
    assert [track.seconds for track in made.tracks] == [1, 2, 3, 4]
    assert [clip.source for clip in made] == [f"music/train[{it}]" for it in range(4)]
    assert [(clip.wave[0] != 0).sum() / RATE for clip in made] == [1, 2, 3, 4]


def test_audio_may_be_plain_bytes_or_files_in_the_folder():
    saved("music", [flac(1), flac(2)])
    assert [track.seconds for track in of().tracks] == [1, 2]
    Path("files/songs").mkdir(parents=True)
    Path("files/songs/a.flac").write_bytes(flac(3))
    saved("files", ["songs/a.flac"])
    assert [track.seconds for track in of("files").tracks] == [3]


def test_no_file_outside_of_the_folder_is_read():
    Path("secret.flac").write_bytes(flac())
    Path("music").mkdir()
    Path("music/link.flac").symlink_to(Path("secret.flac").absolute())
    outside = [str(Path("secret.flac").absolute()), "../secret.flac", "link.flac"]
    saved("music", outside)
    assert refusal().splitlines() == [
        "music/train: holds no music that can be used",
        *(
            f"music/train[{it}]: only names a file outside of the data set ({path})"
            for it, path in enumerate(outside)
        ),
    ]


def test_held_out_rows_are_a_fraction_or_a_split_of_the_data_sets_own():
    saved("music", [row() for _ in range(20)])
    train, held = of(validation=0.3), of(part="validation", validation=0.3)
    numbers = list(map(str, range(20)))
    assert [it.name for it in held.tracks] == list(
        compress(numbers, mk.validation_mask(numbers, 0.3))
    )
    assert len(train) + len(held) == 20
    train, held = (of(part=it, validation_split="test") for it in ("train", "validation"))
    assert len(train) == len(held) == 20
    assert held.clip(0).source == "music/test[0]"


# captions


@pytest.mark.parametrize(
    ("columns", "options", "caption"),
    [
        ({"caption": "slow\njazz", "title": "T"}, {}, "slow jazz"),
        ({"title": "T", "genre": 1, "year": 1999, "tempo": 120}, {}, "T, Rock, 1999, 1 of 4"),
        ({"title": "T", "genre": 1, "mood": "slow"}, {"text": ["mood", "genre"]}, "slow, Rock"),
        ({"title": None}, {}, "Tag, 1 of 4"),
        ({}, {}, "Tag, 1 of 4"),
    ],
)
def test_a_caption_is_a_text_or_fields_or_the_tags(columns, options, caption):
    names = ["Jazz", "Rock"] if "genre" in columns else ()
    columns = {name: [value] for name, value in columns.items()}
    saved("music", [row(flac(title="Tag"))], names=names, **columns)
    assert list(of(**options).captions()) == [caption]


def test_a_row_of_which_nothing_is_known_is_called_by_its_number():
    saved("music", [row()])
    assert list(of().captions()) == ["train[0], 1 of 4"]


# what is kept


def test_headers_are_read_once(monkeypatch):
    saved("music", [row(), row(b"no audio")])
    first = of()
    monkeypatch.setattr(mk, "audio_info", None)
    again = of()
    assert (
        again.skipped_files()
        == first.skipped_files()
        == ["music/train[1]: is no audio file that can be read (Format not recognised)"]
    )
    assert torch.equal(again.clip(0, 2).wave, first.clip(0, 2).wave)


def test_data_that_is_saved_anew_is_looked_through_anew():
    saved("music", [row(flac(1))])
    assert of().tracks[0].seconds == 1
    saved("music", [row(flac(2))])
    assert of().tracks[0].seconds == 2


def test_a_copy_for_a_worker_is_small_and_the_same():
    saved("music", [row(flac(30)) for _ in range(3)])
    made = of()
    made.clip(0)
    data = pickle.dumps(made)
    assert len(data) < 10_000
    assert torch.equal(pickle.loads(data).clip(2, 4).wave, made.clip(2, 4).wave)
    assert [it.name for it in made.tracks[1:]] == ["1", "2"]


# what is bad


def test_rows_that_are_bad_are_left_out_with_the_reason():
    saved("music", [row(), row(b""), None, row(flac()[: len(flac()) // 2])])
    made = of()
    assert made.skipped_files() == [
        "music/train[1]: is empty (0 bytes); leave it out",
        "music/train[2]: holds no audio",
    ]
    with pytest.raises(mk.AudioError, match=r"^music/train\[3\]: (can't be decoded|is cut short)"):
        [made.clip(1, epoch) for epoch in range(50)]


def test_a_column_or_a_split_that_is_not_there():
    saved("music", [row()], mood=["slow"])
    where = "music/train: has no column"
    assert refusal(audio="audoi") == f"{where} 'audoi'; did you mean 'audio'?"
    assert refusal(audio="x") == f"{where} 'x'; it has 'audio', 'mood'"
    assert refusal(text=["modo"]) == f"{where} 'modo'; did you mean 'mood'?"
    assert refusal(split="trian") == "music: has no split 'trian'; did you mean 'train'?"
    assert refusal(split="x") == "music: has no split 'x'; it has 'train', 'test'"


def test_a_folder_that_is_none():
    assert refusal("no/where/at/all") == "no/where/at/all: there is no such folder"
    Path("empty").mkdir()
    assert refusal("empty") == (
        "empty: is no data set that save_to_disk wrote (Directory empty is neither a `Dataset` "
        "directory nor a `DatasetDict` directory.)"
    )


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    Path("music").mkdir()
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr("mousai_kit_shards.hub_data.find_spec", lambda _: None)
    assert refusal() == (
        "huggingface: needs the package datasets: pip install 'mousai-kit[datasets]'"
    )


# the hub


def test_a_data_set_on_the_hub_needs_its_commit():
    with pytest.raises(ValidationError) as raised:
        HuggingFace.Options(path="some/music")
    (problem,) = raised.value.errors()
    assert problem["msg"] == (
        "Value error, must be the 40-digit commit to fetch of 'some/music' from the hub; a folder "
        "needs none, but there is none of this name"
    )


def test_a_hub_that_cant_be_reached(endpoint):
    endpoint("http://127.0.0.1:9")
    assert refusal("some/music", revision=fake_hub.COMMIT) == (
        "some/music: can't be fetched (http://127.0.0.1:9 can't be reached)"
    )


def test_a_data_set_that_the_hub_has_not(endpoint, tmp_path):
    with fake_hub.served(fake_hub.of("some/model", tmp_path)) as url:
        endpoint(url)
        assert refusal("some/music", revision=fake_hub.COMMIT) == (
            "some/music: can't be fetched (the hub has no such data set)"
        )


@pytest.fixture
def hub(monkeypatch, endpoint):
    """A hub that has the data set some/music, and nothing kept of it here."""
    Path("hub").mkdir()
    data_of([row(flac(1)), row(flac(2))], title=["A", "B"]).to_parquet("hub/train.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", Path("kept").absolute())
    made = fake_data_hub.of("some/music", Path("hub").absolute())
    with fake_hub.served(made) as url:
        endpoint(url)
        address = url + "/datasets/{repo_id}/resolve/{revision}/{path}"
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", url)
        monkeypatch.setattr(datasets.config, "HUB_DATASETS_URL", address)
        yield made


ON_HUB = {"path": "some/music", "revision": fake_hub.COMMIT}


def test_a_data_set_is_fetched_once_and_read_without_a_network(hub, endpoint, capfd):
    first = of(**ON_HUB)
    assert any(path.endswith("train.parquet") for path in hub.asked)
    capfd.readouterr()
    endpoint("http://127.0.0.1:9")
    again = of(**ON_HUB)
    assert list(again.captions()) == list(first.captions()) == ["A, 1 of 1", "B, 1 of 2"]
    assert torch.equal(again.clip(1).wave, first.clip(1).wave)
    assert again.clip(1).source == "some/music/train[1]"
    assert capfd.readouterr() == ("", "")
    assert refusal(**ON_HUB, split="x") == (
        "some/music: can't be used (Unknown split \"x\". Should be one of ['train'].)"
    )


def test_code_of_a_data_set_is_not_run(hub):
    (hub.folder / "music.py").write_text("raise SystemExit('it ran')")
    assert refusal(**ON_HUB) == (
        "some/music: can't be used (Dataset scripts are no longer supported, but found music.py)"
    )
