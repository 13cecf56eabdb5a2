"""Data: what can't be decoded is told and passed over."""

from pathlib import Path

import nano
import pytest
import torch

from mousai_kit.core.errors import AudioError, RecipeError, TrainingError
from mousai_kit.core.interfaces import Clip
from mousai_kit.data.datasets import dataset, readable, training_clips


class Numbers:
    """Clips that say their index and epoch; `bad` holds those that can't be read."""

    def __init__(self, count=4, bad=()):
        self.count, self.bad, self.read = count, bad, []

    def __len__(self):
        return self.count

    def clip(self, index, epoch=0):
        self.read.append(index)
        if (index, epoch) in self.bad:
            raise AudioError(f"{index} is bad")
        return Clip(torch.zeros(1, 1), f"{index} in {epoch}")


def test_a_recipes_data_has_the_length_that_is_asked_for(here):
    clips = dataset(nano.recipe(), length=123, split="validation")
    assert len(clips) == 2
    assert clips[0].wave.shape == (1, 123)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            "{use: folder, path: gone}",
            (
                "nano.yaml:5: data.path: {here}/gone: there is no such folder; `path` names the "
                "folder of your music"
            ),
        ),
        (
            "{use: webdataset, shards: empty}",
            "nano.yaml:5: data.shards: {here}/empty: holds no shards (.tar)",
        ),
        (
            "{use: webdataset, shards: 'empty/{0..1}.tar'}",
            (
                "nano.yaml:5: data: {here}/empty/0.tar: there is no such shard\n"
                "nano.yaml:5: data: {here}/empty/1.tar: there is no such shard"
            ),
        ),
    ],
)
def test_data_that_is_not_there_is_told_at_its_place_in_the_recipe(here, data, line):
    Path("empty").mkdir()
    text = nano.RECIPE.replace("{use: tones, tracks: 4, held_out: 2}", data)
    with pytest.raises(RecipeError) as refused:
        training_clips(nano.recipe(text=text), length=10)
    assert str(refused.value) == line.format(here=here)


def test_nothing_to_train_on_is_an_error(here, monkeypatch):
    recipe = nano.recipe()
    monkeypatch.setattr(recipe.data.component, "__len__", lambda _: 0)
    with pytest.raises(TrainingError) as refused:
        training_clips(recipe, length=10)
    assert str(refused.value) == "data: 'tones' holds no clips to train on"


def test_clips_that_can_not_be_decoded_are_told_and_left_out():
    told = []
    found = readable(Numbers(bad=[(0, 0), (2, 0)]), told.append)
    assert [found.clip(index).text for index in range(len(found))] == ["1 in 0", "3 in 0"]
    assert told == ["0 is bad", "2 is bad"]


def test_where_none_can_be_decoded_there_is_none():
    assert readable(Numbers(2, bad=[(0, 0), (1, 0)]), lambda _: None) is None
    assert readable(Numbers(0), lambda _: None) is None


def test_no_more_are_decoded_than_are_asked_for():
    clips = Numbers(9, bad=[(0, 0)])
    assert len(readable(clips, lambda _: None, at_most=2)) == 2
    assert clips.read == [0, 1, 2]


def test_a_crop_that_can_not_be_decoded_gives_way_to_the_first_epochs():
    found = readable(Numbers(bad=[(1, 5)]), lambda _: None)
    assert [found.clip(1, epoch).text for epoch in (4, 5)] == ["1 in 4", "1 in 0"]
