"""Latents: encoded once, kept with the weights that made them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mousai_kit.errors import AudioError
from mousai_kit.interfaces import Clip
from mousai_kit.training import latents

PATH = Path("latents.safetensors")


class Doubling:
    """Stands for a cascade whose latents are twice the audio; counts its work."""

    def __init__(self):
        self.stages = {"upper": nn.Linear(1, 1)}
        self.encoded = 0

    def encode(self, wave, *, up_to):
        self.encoded += len(wave)
        return 2 * wave


class Numbers:
    def __init__(self, count=10, bad=()):
        self.count, self.bad = count, bad

    def __len__(self):
        return self.count

    def clip(self, index, epoch=0):
        if (index, epoch) in self.bad:
            raise AudioError(f"{index} in {epoch} is bad")
        return Clip(torch.tensor([[float(index), float(epoch)]]), f"text {index}", f"{index}.wav")


def encoded(clips, *, cascade=None, key="k", passes=3, told=None):
    return latents.encoded(
        cascade or Doubling(),
        "upper",
        clips,
        passes=passes,
        path=PATH,
        key={"key": key},
        tick=lambda: None,
        report=(told if told is not None else []).append,
    )


def rows(found, epoch):
    return [found.clip(index, epoch).wave[0].tolist() for index in range(len(found))]


def test_each_pass_is_an_epoch_and_they_come_in_turn(here):
    found = encoded(Numbers())
    assert len(found) == 10
    for epoch in range(7):
        assert rows(found, epoch) == [[2 * i, 2 * (epoch % 3)] for i in range(10)]
    assert (found.clip(4, 1).text, found.clip(4, 1).source) == ("text 4", "4.wav")


def test_what_is_kept_is_what_was_encoded(here):
    first, cascade = encoded(Numbers()), Doubling()
    again = encoded(Numbers(), cascade=cascade)
    assert cascade.encoded == 0
    assert again.latents.equal(first.latents)
    assert (again.texts, again.sources, again.passes) == (first.texts, first.sources, 3)


@pytest.mark.parametrize("change", ["key", "cut", "gone", "text"])
def test_other_weights_latents_and_damaged_ones_are_encoded_anew(here, change):
    encoded(Numbers())
    if change == "cut":
        PATH.write_bytes(PATH.read_bytes()[:200])
    elif change == "gone":
        PATH.unlink()
    elif change == "text":
        PATH.write_text("text")
    cascade = Doubling()
    encoded(Numbers(), cascade=cascade, key="other" if change == "key" else "k")
    assert cascade.encoded == 30


def test_a_clip_that_can_not_be_decoded_is_left_out_and_told(here):
    told = []
    found = encoded(Numbers(4, bad=[(1, 0)]), told=told)
    assert rows(found, 2) == [[0, 4], [4, 4], [6, 4]]
    assert told == ["1 in 0 is bad"]


def test_a_later_crop_that_can_not_be_decoded_is_the_first_one_again(here):
    assert rows(encoded(Numbers(3, bad=[(1, 2)])), 2) == [[0, 4], [2, 0], [4, 4]]


def test_where_no_clip_can_be_decoded_there_are_no_latents(here):
    assert encoded(Numbers(2, bad=[(0, 0), (1, 0)])) is None
    assert not PATH.exists()


def test_a_tick_is_a_group(here):
    ticks = []
    work = SimpleNamespace(tick=lambda: ticks.append(1))
    latents.encoded(
        Doubling(), "upper", Numbers(17), passes=2, path=PATH, key={}, tick=work.tick, report=print
    )
    assert len(ticks) == 2 * 3
