"""Verifying: kept latents are what the music gives, exactly, or training does not begin."""

import pytest
from doubling import Doubling, Numbers, encoding, kept

from mousai_kit.core.errors import TrainingError
from mousai_kit.data import latent_shards
from mousai_kit.data.latent_cache import BOUND, verify


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, here):
    """Let a shard hold eight crops."""
    monkeypatch.setattr(latent_shards, "SHARD_CROPS", 8)


def told(what, clip):
    return (
        f"latents-train: the {what} of {clip} is not what is kept: the music changed since, or how "
        "it is read; delete this folder to have all encoded anew"
    )


@pytest.mark.parametrize("count", [1, 8, 9, 30])
@pytest.mark.parametrize("passes", [1, 4])
def test_the_same_music_gives_the_same_latents_exactly(count, passes):
    found = kept(Numbers(count), passes=passes)
    assert verify(encoding(Numbers(count), passes=passes), found) == 0.0


@pytest.mark.parametrize("count", [1, 8, 9, 30])
def test_music_that_changed_under_the_same_name_is_one_line(count):
    kept(Numbers(count))
    with pytest.raises(TrainingError) as refused:
        kept(Numbers(count, shift=0.1))
    assert str(refused.value) == told("sound", "0.wav")


def test_a_caption_that_changed_is_one_line():
    kept(Numbers())
    with pytest.raises(TrainingError) as refused:
        kept(Numbers(text="other words"))
    assert str(refused.value) == told("caption", "0.wav")


def test_music_that_changed_at_the_end_or_in_the_middle_is_noticed():
    kept(Numbers(40))

    class Changed(Numbers):
        def __init__(self, changed):
            super().__init__(40)
            self.changed = changed

        def clip(self, index, epoch=0):
            self.shift = 1.0 if index in self.changed else 0.0
            return super().clip(index, epoch)

    for changed, first in (([39], "39.wav"), (range(16, 24), "16.wav")):
        with pytest.raises(TrainingError) as refused:
            kept(Changed(changed))
        assert str(refused.value) == told("sound", first)


def test_what_another_machine_may_differ_in_passes():
    kept(Numbers())
    near = encoding(Numbers(), cascade=Doubling(2 * (1 + BOUND / 2)))
    difference = verify(near, near.dataset([]))
    assert BOUND / 3 < difference < BOUND
    with pytest.raises(TrainingError):
        kept(Numbers(), cascade=Doubling(2 * (1 + 2 * BOUND)))


def test_latents_of_another_shape_are_not_taken_for_the_same():
    class Longer(Doubling):
        def encode(self, wave, *, up_to):
            return super().encode(wave, up_to=up_to).repeat(1, 1, 2)

    kept(Numbers())
    with pytest.raises(TrainingError) as refused:
        kept(Numbers(), cascade=Longer())
    assert str(refused.value) == told("sound", "0.wav")


def test_music_that_can_not_be_decoded_any_more_leaves_its_latents_in_use():
    kept(Numbers())
    gone = [(index, epoch) for index in range(10) for epoch in range(3)]
    found = encoding(Numbers(bad=gone))
    assert verify(found, found.dataset([])) == 0.0
