"""Tones: cheap, made on the spot, different from each other, and told by their captions."""

import pickle
from typing import Any

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit_clips.tones import KINDS, ROOTS, SHAPES, SPEEDS, VARIETY, Tones

RATE = 16_000
SPLITS: tuple[mk.Split, mk.Split] = ("train", "validation")


def tones(
    split: mk.Split = "train", length: int = RATE, channels: int = 2, **options: Any
) -> Tones:
    return Tones(
        Tones.Options(**options), sample_rate=RATE, channels=channels, length=length, split=split
    )


def of(text: str, length: int = 2 * RATE) -> torch.Tensor:
    """Return the wave of the tone with this caption."""
    made = tones(length=length, tracks=60)
    return made.clip(list(made.captions()).index(text)).wave


def test_the_options_say_how_many_there_are() -> None:
    assert (len(tones()), len(tones("validation"))) == (8, 2)
    assert (len(tones(tracks=3)), len(tones("validation", held_out=4))) == (3, 4)


def test_captions_say_register_shape_kind_and_speed() -> None:
    assert list(tones(tracks=3).captions()) == [
        "low saw chord, slow",
        "high sine fifth, fast",
        "middle square note, held",
    ]
    assert [clip.text for clip in tones()] == list(tones().captions())


def test_no_tone_comes_twice_nor_in_both_splits() -> None:
    train, held = (set(tones(split, tracks=60, held_out=20).captions()) for split in SPLITS)
    assert (len(train), len(held)) == (60, 20)
    assert train.isdisjoint(held)
    assert len(ROOTS) * len(SHAPES) * len(KINDS) * len(SPEEDS) == VARIETY


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_tone_is_audible_within_bounds_and_of_the_shape_asked_for(channels: int) -> None:
    for clip in tones(length=5_000, channels=channels, tracks=27):
        assert clip.wave.shape == (channels, 5_000)
        assert clip.wave.dtype == torch.float32
        assert 0.01 < clip.wave.abs().max() <= 0.5


def test_the_same_index_and_epoch_give_the_same_clip_in_any_copy() -> None:
    made = tones()
    copy = pickle.loads(pickle.dumps(made))
    assert torch.equal(made.clip(3, 5).wave, copy.clip(3, 5).wave)
    assert not torch.equal(made.clip(3, 5).wave, made.clip(3, 6).wave)
    assert not torch.equal(made.clip(3, 5).wave, made.clip(4, 5).wave)
    assert made.clip(3).source == "tone 39"


def test_channels_differ_as_in_stereo_music() -> None:
    assert all(not torch.equal(*clip.wave) for clip in tones())


def test_what_the_caption_says_can_be_measured() -> None:
    made = tones(length=2 * RATE, tracks=60)
    for clip in made:
        register, shape, *_ = clip.text.split()
        spectrum = torch.fft.rfft(clip.wave[0] * torch.hann_window(2 * RATE)).abs()
        loudest, root = int(spectrum.argmax()) / 2, ROOTS[register]
        assert min(abs(loudest / root - ratio) for ratio in (1, 5 / 4, 3 / 2)) < 0.01
        overtones = spectrum[int(2 * 1.9 * root) :].max() / spectrum.max()
        assert (overtones < 0.1) == (shape == "sine")


def test_speeds_are_beats_per_second() -> None:
    wave = of("high sine fifth, fast").abs()[0]
    loudness = wave.reshape(-1, RATE // 32).amax(1)
    assert int((loudness[1:] > 1.3 * loudness[:-1]).sum()) in (7, 8, 9)
    held = of("middle square note, held").abs()[0].reshape(-1, RATE // 32).amax(1)
    assert held.max() / held.min() < 1.2


@pytest.mark.parametrize("options", [{"tracks": 0}, {"tracks": 61}, {"held_out": 0}, {"x": 1}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        Tones.Options.model_validate(options)
