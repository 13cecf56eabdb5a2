"""Datasets of tracks: how many crops each has in an epoch, and what captions say of them."""

from collections import Counter

import numpy as np
import pytest
import soundfile

import mousai_kit.api as mk
from mousai_kit.data.track_stats import pieces
from mousai_kit.data.tracks import balance

RATE = 8_000
GENRES = ["Techno", "techno", "", "Techno", "Ambient", "Metal", "Metal", "Techno"]
"""Of tracks: four are of one genre, two of another, one of a third, and of one nothing is said."""


class Library(mk.TrackDataset):
    """Files of a folder, whose genres are told."""

    name = "library"

    def find_tracks(self):
        files = zip(sorted(FOLDER[0].iterdir()), GENRES, strict=False)
        return [
            mk.Track(
                file,
                file.name,
                mk.audio_info(file).seconds,
                mk.CaptionFields(title=file.stem, genre=it),
            )
            for file, it in files
        ]


FOLDER = []


@pytest.fixture(scope="module", autouse=True)
def music(tmp_path_factory):
    FOLDER[:] = [tmp_path_factory.mktemp("music")]
    time = np.arange(2 * RATE) / RATE
    for number in range(len(GENRES)):
        wave = 0.1 * np.sin(2 * np.pi * (200 + 50 * number) * time)
        soundfile.write(FOLDER[0] / f"{number}.wav", wave.astype(np.float32), RATE)


def library(split="train", **options):
    build_kwargs = {"sample_rate": RATE, "channels": 1, "length": 1000, "split": split}
    return Library(Library.Options(**options), **build_kwargs)


ANTIPHASE = (
    "is silent once its channels are mixed to 1: they cancel each other out (antiphase); invert "
    "one of them, set `audio.channels` to as many, or leave it out"
)


@pytest.mark.parametrize("seconds", [0.1, 2])
def test_channels_that_cancel_each_other_out_are_not_called_silent(tmp_path, monkeypatch, seconds):
    wave = 0.1 * np.sin(np.arange(round(seconds * RATE)))
    monkeypatch.setattr(f"{__name__}.FOLDER", [tmp_path])
    soundfile.write(tmp_path / "a.wav", np.stack([wave, -wave], 1), RATE, subtype="FLOAT")
    with pytest.raises(mk.AudioError) as caught:
        library().clip(0)
    told = f"{tmp_path / 'a.wav'}: {ANTIPHASE}"
    assert str(caught.value) == told
    (piece,) = pieces(library(), "train", sample_rate=RATE)
    assert piece.fault == told
    soundfile.write(tmp_path / "a.wav", np.zeros((len(wave), 2)), RATE)
    with pytest.raises(mk.AudioError, match=r"is silent \(peak under -80 dB\)"):
        library().clip(0)


def heard(dataset):
    """Return how often each track is heard in an epoch."""
    return Counter(dataset.clip(index).source.rpartition("/")[2] for index in range(len(dataset)))


@pytest.mark.parametrize("crops", [1, 3])
def test_each_track_has_as_many_crops_as_asked_for(crops):
    dataset = library(crops=crops)
    assert len(dataset) == crops * len(GENRES)
    assert heard(dataset) == {f"{number}.wav": crops for number in range(len(GENRES))}


@pytest.mark.parametrize("crops", [1, 2, 3, 5])
def test_balance_gives_each_genre_as_many_crops(crops):
    dataset = library(crops=crops, balance=True)
    tracks = heard(dataset)
    genres = Counter()
    for number, genre in enumerate(GENRES):
        genres[genre.casefold()] += tracks[f"{number}.wav"]
    assert len(genres) == 4
    assert set(genres.values()) == {max(4, crops * len(GENRES) // 4)}
    assert all(tracks[f"{number}.wav"] for number in range(len(GENRES)))


def test_balance_spreads_a_genres_crops_evenly_over_its_tracks_and_places():
    dataset = library(crops=5, balance=True)
    tracks = heard(dataset)
    assert [tracks[f"{number}.wav"] for number in (0, 1, 3, 7)] == [2, 3, 2, 3]
    marks = [dataset.clip(index).text for index in range(len(dataset))]
    assert len({it.rpartition(" of ")[0] for it in marks if "Ambient" in it}) > 5


def test_every_index_is_a_clip_and_no_other():
    for dataset in (library(crops=3), library(crops=3, balance=True)):
        count = len(dataset)
        assert dataset.clip(count - 1).source == dataset.clip(-1).source
        for index in (count, -count - 1):
            with pytest.raises(IndexError):
                dataset.clip(index)


def test_a_clip_is_of_the_track_whose_loudness_is_measured_for_it():
    for balanced in (False, True):
        dataset = library(crops=3, balance=balanced, loudness=-20)
        for index in range(len(dataset)):
            (place,) = dataset.unmeasured_places([index])
            assert dataset.clip(index).source == mk.display_path(dataset.tracks[place].path)
            dataset._gains.clear()


class Gone(Library):
    """Files of a folder, of which nothing can be read."""

    def read_caption(self, track):
        raise mk.AudioError(mk.Problem(mk.display_path(track.path), "", "is gone"))


def test_tracks_that_can_not_be_read_are_of_no_genre(monkeypatch):
    found = Library.find_tracks
    monkeypatch.setattr(
        Gone, "find_tracks", lambda self: [mk.Track(it.path, it.name, 2.0) for it in found(self)]
    )
    options = Gone.Options(balance=True, crops=2)
    dataset = Gone(options, sample_rate=RATE, channels=1, length=1000, split="train")
    assert len(dataset) == 2 * len(GENRES)


def test_held_out_tracks_are_not_balanced():
    assert len(library("validation", crops=2, balance=True)) == 2 * len(GENRES)


def test_a_dataset_of_no_tracks_is_empty(monkeypatch):
    monkeypatch.setattr(Library, "find_tracks", lambda self: [])
    for balanced in (False, True):
        assert len(library(balance=balanced)) == 0


@pytest.mark.parametrize(
    ("genres", "crops", "expected"),
    [
        ([], 3, []),
        (["a"], 3, [3]),
        (["a", "b"], 1, [1, 1]),
        (["a", "a", "a", "b"], 1, [1, 1, 1, 3]),
        (["a", "a", "a", "b"], 4, [2, 3, 3, 8]),
        (["b", "a", "c", "a"], 3, [4, 2, 4, 2]),
    ],
)
def test_crops_are_shared_out(genres, crops, expected):
    assert balance(genres, crops) == expected


def test_captions_keep_the_genre_and_drop_the_rest():
    dataset = library(crops=4, drop=1.0, genre_drop=0.0)
    texts = {dataset.clip(index, epoch).text for index in range(32) for epoch in range(3)}
    assert texts == set(GENRES)


def test_held_out_captions_say_all_there_is():
    dataset = library("validation", drop=1.0, genre_drop=1.0)
    assert dataset.clip(0).text.startswith("0, Techno, ")
