"""What a stage makes is silent, too loud or no signal: told, and no other."""

import math

import pytest
import torch
from watched import Toy, Words, warned, watched

from mousai_kit.core.interfaces import SignalSpace
from mousai_kit.training.monitors import SampleLevelMonitor
from mousai_kit.training.monitors.output import level


class Making(Toy):
    """Makes of every clip what is wrong, or an encoder's way back that is right."""

    def __init__(self, make, *, encodes=True, stride=1):
        super().__init__()
        self.make, self.input_space = make, SignalSpace(1, stride, 8000)
        self.latent_space = SignalSpace(1, stride, 8000) if encodes else None
        self.asked = []

    def encode(self, signal):
        return signal

    def decode(self, latents, request):
        self.asked.append((request.samples, list(request.prompts), self.training))
        return self.make(super().decode(None, request) if latents is None else latents)


def made(make, *, clips=None, length=32, **stage):
    return watched(
        "a",
        Making(make, **stage),
        clips=clips or Words(level=0.2),
        held_out=clips or Words(4, level=0.2),
        by=[SampleLevelMonitor()],
        length=length,
        steps=30,
    )


def test_silence_is_told(here):
    assert warned(made(lambda x: 1e-4 * x)) == [
        (
            30,
            (
                "what this stage makes is silent: -93 dB, real audio -15 dB; hear a demo, see "
                "whether the loss falls, and lower `learning_rate`"
            ),
        )
    ]


def test_what_is_constant_is_silent(here):
    ((_, line),) = warned(made(lambda x: 0 * x + 0.5))
    assert line.startswith("what this stage makes is silent: -100 dB, real audio -15 dB; ")


def test_audio_that_is_too_loud_is_told(here):
    assert warned(made(lambda x: 30 * x)) == [
        (
            30,
            (
                "what this stage makes is too loud: 15 dB, 94% beyond full scale, real audio -15 "
                "dB; train longer, or lower `learning_rate`"
            ),
        )
    ]


def test_audio_that_is_clipped_is_told_though_it_be_not_much_louder(here):
    ((_, line),) = warned(made(lambda x: 5 * x))
    assert "is too loud: -1 dB, 31% beyond full scale" in line


def test_latents_that_are_too_large_are_told(here):
    stage = {"encodes": False, "stride": 4, "length": 128}
    ((step, line),) = warned(made(lambda x: 1e3 * x, **stage))
    assert (step, line) == (
        30,
        (
            f"what this stage makes is too loud: {line.split('loud: ')[1].split()[0]} dB, real "
            "latents -15 dB; train longer, or lower `learning_rate`"
        ),
    )


def test_latents_beyond_one_are_no_fault(here):
    assert warned(made(lambda x: 5 * x, encodes=False, stride=4, length=128)) == []


def test_what_is_not_finite_is_told(here):
    def half(x):
        return torch.where(torch.arange(32) < 16, x, math.nan)

    assert warned(made(half)) == [
        (
            30,
            (
                "what this stage makes is not finite: 50% of it NaN or infinity; lower "
                "`learning_rate`, or use `precision: fp32`"
            ),
        )
    ]


def test_what_is_like_real_clips_is_not_told(here):
    training = made(lambda x: x)
    assert warned(training) == []
    assert training.stage.asked == [(32, ["0", "1"], False)]
    assert training.stage.training is False


@pytest.mark.parametrize("level_", [1e-3, 30.0])
def test_the_level_is_that_of_the_data_whatever_it_is(here, level_):
    assert warned(made(lambda x: x, clips=Words(4, level=level_))) == []


def test_levels_are_decibels_of_what_changes():
    wave = torch.sin(torch.arange(8000) / 10)[None, None]
    assert level(wave) == pytest.approx(-3.0, abs=0.05)
    assert level(0.1 * wave + 7) == pytest.approx(-23.0, abs=0.05)
    assert level(0 * wave) == -100
