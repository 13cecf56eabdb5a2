"""Captions: as published in training, plain for validation, and free of tags' debris."""

from collections import Counter
from random import Random

import pytest

from mousai_kit.data.captions import CaptionFields, chunk_mark, clean, collapse_whitespace

SONG = CaptionFields("Mutilated Mime", "Muldjord", "Mime", "Death Metal", "2008")
WORDS = {"Mutilated Mime", "Muldjord", "Mime", "Death Metal", "2008", "2 of 4"}
GOLDEN = (
    "2008 Mime Muldjord Mutilated Mime 2 of 4 Death Metal",
    "Mime Death Metal 2 of 4 Mutilated Mime",
)


def drawn(seed: int, drop: float = 0.1) -> str:
    return SONG.caption("2 of 4", random=Random(seed), drop=drop)


def test_without_randomness_all_fields_come_in_order_joined_by_commas() -> None:
    assert SONG.caption("2 of 4") == "Mutilated Mime, Muldjord, Mime, Death Metal, 2008, 2 of 4"


def test_fields_that_are_not_known_leave_no_trace() -> None:
    assert (
        CaptionFields(title="Crossroads", year="2013").caption("1 of 1")
        == "Crossroads, 2013, 1 of 1"
    )
    assert CaptionFields().caption() == ""
    assert not CaptionFields()
    assert CaptionFields(year="2013")


def test_the_same_seed_gives_the_same_caption() -> None:
    assert [drawn(seed) for seed in range(50)] == [drawn(seed) for seed in range(50)]


def test_captions_are_those_that_they_have_always_been() -> None:
    assert drawn(0) == GOLDEN[0]
    assert drawn(1) == GOLDEN[1]


def test_training_shuffles_the_fields_and_keeps_them_whole() -> None:
    captions = [drawn(seed, drop=0.0) for seed in range(400)]
    commas = [caption.split(", ") for caption in captions if ", " in caption]
    assert all(set(fields) == WORDS for fields in commas)
    assert len({tuple(fields) for fields in commas}) > 100
    assert {fields[0] for fields in commas} == WORDS


def test_commas_join_half_of_the_captions_and_spaces_the_others() -> None:
    captions = [drawn(seed, drop=0.0) for seed in range(2000)]
    assert 0.46 < sum(", " in caption for caption in captions) / 2000 < 0.54
    spaced = next(caption for caption in captions if ", " not in caption)
    assert sorted(spaced.split()) == sorted(" ".join(WORDS).split())


def test_each_field_is_dropped_with_the_chance_asked_for() -> None:
    captions = [drawn(seed, drop=0.1) for seed in range(4000)]
    lines = [caption.split(", ") for caption in captions if ", " in caption]
    kept = Counter(field for fields in lines for field in fields)
    assert set(kept) == WORDS
    assert all(0.87 < count / len(lines) < 0.93 for count in kept.values())


def test_all_fields_may_be_dropped() -> None:
    assert drawn(3, drop=1.0) == ""


def told(seed: int, *, drop: float, genre_drop: float | None) -> str:
    return SONG.caption("2 of 4", random=Random(seed), drop=drop, genre_drop=genre_drop)


def test_the_genre_stays_where_all_else_is_dropped() -> None:
    assert {told(seed, drop=1.0, genre_drop=0.0) for seed in range(200)} == {"Death Metal"}


def test_the_genre_is_dropped_where_all_else_stays() -> None:
    captions = [told(seed, drop=0.0, genre_drop=1.0) for seed in range(200)]
    assert {frozenset(it.split(", ")) for it in captions if ", " in it} == {
        frozenset(WORDS - {"Death Metal"})
    }


def test_the_genre_has_a_chance_of_its_own() -> None:
    captions = [told(seed, drop=0.9, genre_drop=0.3) for seed in range(4000)]
    assert 0.67 < sum("Death Metal" in caption for caption in captions) / 4000 < 0.73
    assert 0.08 < sum("Muldjord" in caption for caption in captions) / 4000 < 0.12


def test_without_a_chance_of_its_own_the_genre_is_dropped_as_the_others_are() -> None:
    one = [drawn(seed, drop=0.5) for seed in range(100)]
    assert one == [told(seed, drop=0.5, genre_drop=None) for seed in range(100)]
    assert one == [told(seed, drop=0.5, genre_drop=0.5) for seed in range(100)]


@pytest.mark.parametrize(
    ("start", "length", "total", "mark"),
    [
        (0.0, 3.0, 10.0, "1 of 3"),
        (2.99, 3.0, 10.0, "1 of 3"),
        (3.0, 3.0, 10.0, "2 of 3"),
        (7.0, 3.0, 10.0, "3 of 3"),
        (9.5, 3.0, 10.0, "3 of 3"),
        (0.0, 3.0, 1.0, "1 of 1"),
        (0.0, 0.1, 0.3, "1 of 3"),
        (8.0, 4.0, 12.0, "3 of 3"),
    ],
)
def test_the_chunk_mark_counts_pieces_of_a_crops_length(
    start: float, length: float, total: float, mark: str
) -> None:
    assert chunk_mark(start, length, total) == mark


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Egyptian Darbuka", "Egyptian Darbuka"),
        ("  two\nlines\tand   spaces \r\n", "two lines and spaces"),
        ("nul\0and\x1bescape\ufeff", "nul and escape"),
        ("", ""),
        ("   ", ""),
        ("(None)", ""),
        ("<Unknown>", ""),
        ("[unknown artist]", ""),
        ("Unknown Album", ""),
        ("n/a", ""),
        ("http://www.shawnparrotte.com", ""),
        ("Kenta Cho (http://www.asahi-net.or.jp/~cs8k-cyu/)", "Kenta Cho"),
        ("by NeonCorridor, www.shawnparrotte.com", "by NeonCorridor,"),
        ("The Unknown Soldier", "The Unknown Soldier"),
        ("None of This", "None of This"),
        ("Künstler", "Künstler"),
        ("KÃ¼nstler", "Künstler"),
        ("音楽 🎵", "音楽 🎵"),
        (b"\x83p\x81[\x83Z\x83N".decode("utf-8", "replace"), ""),
        (b"\x83p\x81[\x83Z\x83N".decode("latin-1"), ""),
        (b"\x83p\x81[\x83Z\x83N".decode("utf-8", "surrogateescape"), ""),
        (["Crossroads", "Crossroads II"], "Crossroads II"),
        (["Crossroads", "(None)", ""], "Crossroads"),
        ([], ""),
        (None, ""),
        (True, ""),
        ({"en": "Crossroads"}, ""),
        (1999, "1999"),
    ],
)
def test_a_tag_is_cleaned(value: object, text: str) -> None:
    assert clean(value) == text


@pytest.mark.parametrize(
    ("value", "genre"),
    [
        ("Death Metal", "Death Metal"),
        ("(17)", "Rock"),
        ("17", "Rock"),
        ("(17)Rock", "Rock"),
        ("(4)Eurodisco", "Eurodisco"),
        ("(51)(39)", "Techno-Industrial, Noise"),
        ("(255)", ""),
        ("80s", "80s"),
        ("(The) Blues", "(The) Blues"),
        (["Rock", "(9)", "Rock", "Unknown"], "Rock, Metal"),
        ("Rock, (9), Unknown Genre", "Rock, Metal"),
        ("Folk, World, & Country", "Folk, World, & Country"),
    ],
)
def test_genre_numbers_become_names(value: object, genre: str) -> None:
    assert CaptionFields.of({"genre": value}) == CaptionFields(genre=genre)


@pytest.mark.parametrize(
    ("value", "artist"),
    [
        (["Ana", "Ben"], "Ana, Ben"),
        ("Ana, Ben", "Ana, Ben"),
        ("Unknown Artist, Ben", "Ben"),
        (["Earth, Wind & Fire", "Ben"], "Earth, Wind & Fire, Ben"),
        (["", None], ""),
    ],
)
def test_every_artist_is_told(value: object, artist: str) -> None:
    assert CaptionFields.of({"artist": value, "title": ["a", "b"]}) == CaptionFields("b", artist)


@pytest.mark.parametrize(
    ("tags", "year"),
    [
        ({"date": "2013-01-01"}, "2013"),
        ({"date": "01.05.1999"}, "1999"),
        ({"date": "20080101"}, "2008"),
        ({"year": 2007}, "2007"),
        ({"year": "2007", "date": "2013"}, "2007"),
        ({"year": "soon", "date": "2013"}, "2013"),
        ({"date": "0000"}, ""),
        ({"date": "99"}, ""),
    ],
)
def test_the_year_is_a_dates_first_group_of_four_digits(tags: dict[str, object], year: str) -> None:
    assert CaptionFields.of(tags) == CaptionFields(year=year)


def test_fields_are_found_whatever_their_names_case_and_other_tags_are_ignored() -> None:
    tags = {"TITLE": "Crossroads", "Artist": "NeonCorridor", "ENCODER": "libsndfile", "bpm": 120}
    assert CaptionFields.of(tags) == CaptionFields(title="Crossroads", artist="NeonCorridor")


def test_one_line_keeps_the_words_and_drops_what_breaks_lines() -> None:
    assert collapse_whitespace("a\n b\x00c\u2028d  ") == "a b c d"
