"""Encoding: what is kept is what was encoded, whatever happens on the way."""

import math

import pytest
import torch
from doubling import FOLDER, SHARDS, Doubling, Numbers, encoding, files, kept, rows

from mousai_kit.core.console import Screen
from mousai_kit.data import latent_shards


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, here):
    """Let a shard hold eight crops."""
    monkeypatch.setattr(latent_shards, "SHARD_CROPS", 8)


def ignore(_):
    pass


def test_each_pass_is_an_epoch_and_they_come_in_turn():
    found = kept(Numbers())
    assert len(found) == 10
    for epoch in range(7):
        assert rows(found, epoch) == [[2 * (i + 1), 2 * (epoch % 3 + 1)] for i in range(10)]
    assert (found.clip(4, 1).text, found.clip(4, 1).source) == ("text 4 in 1", "4.wav")
    assert list(found.captions()) == [f"text {i} in {e}" for e in range(3) for i in range(10)]


def test_what_is_kept_is_used_and_not_written_again():
    first, cascade = kept(Numbers()), Doubling()
    before = {it: it.stat().st_mtime_ns for it in SHARDS.iterdir()}
    again = kept(Numbers(), cascade=cascade)
    assert cascade.encoded == 8 + 8 + 2  # to verify it
    assert [rows(again, it) for it in range(3)] == [rows(first, it) for it in range(3)]
    assert {it: it.stat().st_mtime_ns for it in SHARDS.iterdir()} == before


def test_how_the_stage_itself_is_trained_does_not_matter():
    kept(Numbers())
    assert encoding(Numbers(), rate=1.0).missing(ignore, ignore) == []


@pytest.mark.parametrize(
    "change", [{"weights": "other"}, {"data": "there"}, {"length": 4}, {"count": 12}]
)
def test_other_weights_or_other_music_encode_all_anew_and_say_so(change, capfd):
    kept(Numbers())
    clips, cascade = Numbers(change.pop("count", 10)), Doubling()
    kept(clips, cascade=cascade, screen=Screen(), **change)
    assert cascade.encoded >= 3 * len(clips)
    assert capfd.readouterr().err == (
        "latents for upper (train): what they are made of changed; all is encoded anew\n"
    )
    assert len(files()) == 6


def test_a_further_pass_leaves_those_before_as_they_are():
    kept(Numbers(), passes=1)
    before = files()
    cascade = Doubling()
    assert encoding(Numbers(), passes=2).missing(ignore, ignore) == [2, 3]
    found = kept(Numbers(), cascade=cascade, passes=2)
    assert before.items() < files().items()
    assert rows(found, 1) == [[2 * (i + 1), 4] for i in range(10)]
    assert not encoding(Numbers(), passes=1).missing(ignore, ignore)


def test_shards_of_other_weights_are_cleared_away():
    kept(Numbers(), passes=4)
    kept(Numbers(), passes=1, weights="other")
    assert sorted(files()) == ["00000.safetensors", "00001.safetensors"]


def test_latents_of_other_weights_go_before_these_are_encoded():
    kept(Numbers())

    class Full(Doubling):
        def encode(self, wave, *, up_to):
            assert files() == {}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(Numbers(), cascade=Full(), weights="other")


def test_shards_that_an_earlier_version_kept_beside_the_folder_are_taken_into_it(capfd):
    kept(Numbers())
    before = files()
    for path in SHARDS.iterdir():
        path.rename(FOLDER / path.name)
    SHARDS.rmdir()
    (FOLDER / "index.json").write_text("{}")
    cascade = Doubling()
    kept(Numbers(), cascade=cascade, screen=Screen())
    assert cascade.encoded == 8 + 8 + 2  # to verify it
    assert files() == before
    assert capfd.readouterr().err == ""


def test_shards_of_an_earlier_version_that_are_made_of_something_else_are_not(capfd):
    kept(Numbers(), weights="other")
    for path in FOLDER.glob("*/*"):
        path.rename(FOLDER / path.name)
    kept(Numbers(), screen=Screen())
    assert capfd.readouterr().err.endswith("what they are made of changed; all is encoded anew\n")
    assert len(files()) == 6


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "text", "empty"])
@pytest.mark.parametrize("number", [0, 3])
def test_a_shard_that_is_damaged_is_encoded_anew_and_no_other(damage, number):
    kept(Numbers())
    before, path = files(), SHARDS / f"{number:05d}.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[-1] ^= 1
    damaged = {"cut": data[:-8], "flipped": data, "text": b"text", "empty": b""}
    path.write_bytes(damaged.get(damage, b""))
    if damage == "gone":
        path.unlink()
    told: list[str] = []
    assert encoding(Numbers()).missing(ignore, told.append) == [number]
    assert told == ([] if damage == "gone" else [f"{path}: is damaged; it is encoded anew"])
    kept(Numbers())
    assert files() == before


def test_shards_made_apart_and_in_any_order_are_the_same_files():
    kept(Numbers(20))
    whole = encoding(Numbers(20), folder="apart")
    count = whole.layout.shards
    for rank in (1, 0):
        part = encoding(Numbers(20), folder="apart")
        part.encode([it for it in range(count) if it % 2 == rank][::-1], ignore)
    assert files("apart") == files()


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers):
    clips = Numbers(20, bad=[(1, 0), (5, 1), *((9, epoch) for epoch in range(3))])
    first, second = [], []
    kept(clips, told=first)
    kept(clips, told=second, workers=workers, folder="elsewhere")
    assert files("elsewhere") == files()
    assert first == second == ["1.wav: is bad in 0", "9.wav: is bad in 0"]


def test_nothing_is_drawn_from_the_process_s_generator():
    cascade, before = Doubling(), torch.get_rng_state()
    kept(Numbers(), cascade=cascade)
    assert torch.get_rng_state().equal(before)


def test_a_tick_is_a_group_made_or_found():
    ticks = []
    encoding(Numbers(17), passes=2).encode(range(3), ticks.append)
    assert ticks == [1, 1, 1]
    assert encoding(Numbers(17), passes=2).missing(ticks.append, ignore) == [3, 4, 5]
    assert sum(ticks) == 6


# music that can't be used


def test_a_clip_that_can_not_be_decoded_is_left_out_and_told():
    told = []
    found = kept(Numbers(4, bad=[(1, 0)]), told=told)
    assert rows(found, 2) == [[2, 6], [6, 6], [8, 6]]
    assert told == ["1.wav: is bad in 0"]


def test_a_clip_that_was_left_out_is_told_whenever_its_latents_are_used():
    kept(Numbers(4, bad=[(1, 0)]))
    told = []
    kept(Numbers(4, bad=[(1, 0)]), told=told)
    assert told == ["1.wav: is bad in 0"]


def test_a_later_crop_that_can_not_be_decoded_is_the_first_one_again():
    told = []
    assert rows(kept(Numbers(3, bad=[(1, 2)]), told=told), 2) == [[2, 6], [4, 2], [6, 6]]
    assert told == []


def test_a_clip_whose_latents_are_not_finite_is_left_out_and_told():
    class Holed(Doubling):
        def encode(self, wave, *, up_to):
            return super().encode(wave.where(wave != 3, math.inf), up_to=up_to)

    told = []
    assert rows(kept(Numbers(3), cascade=Holed(), passes=1, told=told), 0) == [[2, 2], [4, 2]]
    (line,) = told
    assert line == (
        "2.wav: its latents are not finite (NaN or infinity); look at the file, or at the "
        "autoencoder"
    )


def test_where_no_clip_can_be_decoded_there_are_no_latents_and_it_is_tried_again():
    bad = [(index, epoch) for index in range(2) for epoch in range(3)]
    assert kept(Numbers(2, bad=[*bad[:3], (1, 0)])) is None
    assert files() == {}
    assert len(kept(Numbers(2))) == 2
