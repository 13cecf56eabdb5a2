"""Split: what is held out is so by its name, whatever else there is."""

from hashlib import sha256
from itertools import compress
from pathlib import Path

import pytest

from mousai_kit.data.tracks import _rank, validation_mask


def kept(names: list[str], fraction: float) -> set[str]:
    return set(compress(names, validation_mask(names, fraction)))


def test_held_out_tracks_are_about_the_fraction_asked_for() -> None:
    names = [f"album {number % 50}/track {number}.flac" for number in range(5_000)]
    assert 0.08 < len(kept(names, 0.1)) / 5_000 < 0.12
    assert 0.47 < len(kept(names, 0.5)) / 5_000 < 0.53
    assert kept(names, 0.0) == set()


def test_the_held_out_tracks_are_those_that_they_have_always_been() -> None:
    names = [f"{number}.wav" for number in range(20)]
    assert kept(names, 0.2) == GOLDEN


GOLDEN = {"8.wav", "9.wav"}


def test_a_song_in_two_formats_is_in_one_split() -> None:
    songs = [f"{number}" for number in range(100)]
    held = kept([song + suffix for song in songs for suffix in (".mp3", ".flac")], 0.3)
    assert {name for name in held if name.endswith(".mp3")} == {
        name.replace(".flac", ".mp3") for name in held if name.endswith(".flac")
    }


def test_a_new_track_moves_no_other() -> None:
    names = [f"{number}.wav" for number in range(200)]
    before = kept(names[:150], 0.1)
    assert before == kept(names, 0.1) & set(names[:150])


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5])
@pytest.mark.parametrize("count", range(2, 9))
def test_of_two_tracks_or_more_one_is_held_out_and_one_left(count: int, fraction: float) -> None:
    for album in range(30):
        names = [f"{album}/{number}.wav" for number in range(count)]
        assert 1 <= len(kept(names, fraction)) <= count - 1


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5])
def test_copies_of_a_single_song_are_never_on_both_sides(fraction: float) -> None:
    assert kept(["a.wav", "a.flac", "a.wav"], fraction) == set()
    two = kept(["a.wav", "a.flac", "b.wav", "b.mp3"], fraction)
    assert two in ({"a.wav", "a.flac"}, {"b.wav", "b.mp3"})


@pytest.mark.parametrize("name", ["a.wav", "a.b.wav", "a.b/c", "a.b/.c", "y.z/w.flac", "a. b.ogg"])
def test_a_rank_is_the_hash_of_the_name_without_its_ending(name: str) -> None:
    digest = sha256(str(Path(name).with_suffix("")).encode()).digest()
    assert _rank(name) == int.from_bytes(digest[:6], "big") / 2**48


def test_nothing_is_held_out_of_nothing() -> None:
    assert validation_mask([], 0.5).tolist() == []
