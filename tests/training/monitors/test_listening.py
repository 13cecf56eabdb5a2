"""A decoder that ignores its latent, a generator that ignores its text: told, and no other."""

import re
from dataclasses import replace

import pytest
import torch
from watched import Toy, Words, warned, watched

from mousai_kit.core.interfaces import Clip, Stage
from mousai_kit.training.monitors import ConditioningMonitor
from mousai_kit.training.monitors.output import ConditioningGap
from mousai_kit.training.validation import ValidationLosses

IGNORED = "the text seems to be ignored: loss "
ADVICE = "; see whether captions say what is heard, and train longer; guidance can't help"


class Deaf(Toy):
    """Takes every text for the same."""

    def loss(self, signal, prompts, **told):
        return super().loss(signal, ["0" for _ in prompts], **told)


class Tones(torch.utils.data.Dataset):
    """Clips of notes at a stage's length; the latent tells which."""

    def __init__(self, count, *, length=512, first=0):
        self.count, self.length, self.first = count, length, first

    def __len__(self):
        return self.count

    def clip(self, index, epoch=0):
        time = torch.arange(self.length) / 8000
        number = self.first + index
        wave = 0.5 * torch.sin(2 * torch.pi * 200 * 2 ** (number / 4) * time)
        return Clip(wave.repeat(2, 1), "", f"note {number}")


def autoencoder(build, specs, audio, *, cut):
    """Return an autoencoder; `cut` is a mistake: its decoder is told zeros."""
    stage = build(Stage, specs["autoencoder"], input_space=audio)
    stage.fit_statistics([Tones(4).clip(index).wave[None] for index in range(4)], [])
    if cut:
        bind = stage.unet.bind
        stage.unet.bind = lambda latent, *rest, **named: bind(0 * latent, *rest, **named)
    return stage


def learned(folder, stage, **settings):
    values = {"steps": 30, "length": 512, "learning_rate": 5e-3, "clip_norm": 1.0}
    clips = {"clips": Tones(4), "held_out": Tones(2, first=5)}
    return watched(folder, stage, **clips, by=[ConditioningMonitor()], **values | settings)


def test_a_decoder_that_ignores_its_latent_is_told(here, build, specs, audio):
    ((step, line),) = warned(learned("a", autoencoder(build, specs, audio, cut=True)))
    loss = re.search("loss (.{6}) with", line)[1]
    assert (step, line) == (
        30,
        (
            f"the latent seems to be ignored: loss {loss} with the right one, {loss} with another "
            "clip's (+0.0000, +-0.0000); lower `learning_rate`, or give the encoder more channels"
        ),
    )


def test_a_decoder_of_a_draft_may_ignore_its_latent(here, build, specs, audio, monkeypatch):
    stage = autoencoder(build, specs, audio, cut=True)
    monkeypatch.setattr(type(stage), "refines", property(lambda self: self))
    assert warned(learned("a", stage)) == []


def test_a_generator_that_ignores_its_text_is_told(here):
    held = {"held_out": Words(4)}
    ((step, line),) = warned(watched("a", Deaf(), by=[ConditioningMonitor()], **held))
    loss = re.search("loss (.{6}) with", line)[1]
    figures = f"{loss} with the right one, {loss} with another clip's (+0.0000, +-0.0000)"
    assert (step, line) == (30, IGNORED + figures + ADVICE)


def test_it_is_told_where_nothing_is_held_out_too_and_again_after_as_many_steps(here):
    found = warned(watched("a", Deaf(), by=[ConditioningMonitor()], steps=130))
    assert [(step, line[: len(IGNORED)]) for step, line in found] == [
        (30, IGNORED),
        (60, IGNORED),
        (120, IGNORED),
    ]


@pytest.mark.parametrize("held_out", [None, Words(4)])
def test_a_generator_that_heeds_its_text_is_not_told(here, held_out):
    assert warned(watched("a", by=[ConditioningMonitor()], held_out=held_out)) == []


def test_one_held_out_track_is_compared_with_being_told_nothing(here):
    assert warned(watched("a", by=[ConditioningMonitor()], held_out=Words(1))) == []


class Deafer(Deaf):
    """Takes even no text for the same."""

    def loss(self, signal, prompts, *, noise, condition="training"):
        return super().loss(signal, prompts, noise=noise, condition="right")


def test_one_held_out_track_that_is_not_heeded_is_told(here):
    ((_, line),) = warned(watched("a", Deafer(), by=[ConditioningMonitor()], held_out=Words(1)))
    loss = re.search("loss (.{6}) with", line)[1]
    figures = f"{loss} with the right one, {loss} with none (+0.0000, +-0.0000)"
    assert line == IGNORED + figures + ADVICE


class Renamed(Words):
    """Clips that have each other's captions."""

    def clip(self, index, epoch=0):
        return replace(super().clip(index), text=f"{(index + 1) % self.count}")


def test_captions_that_are_learned_by_heart_are_told_from_those_that_are_ignored(here):
    training = watched("a", by=[ConditioningMonitor()], held_out=Renamed(8, seed=1))
    ((step, line),) = warned(training)
    gap = r"loss \S{6} with the right one, \S{6} with another clip's \(\S+, \+-\S+\)"
    assert step == 30
    assert re.fullmatch(
        rf"the text is heeded on clips that are learned from \({gap}\), but not on held-out ones "
        rf"\({gap}\): it is learned by heart; train on more music",
        line,
    )


def test_nothing_is_told_early_in_a_training(here):
    assert warned(watched("a", Deaf(), by=[ConditioningMonitor()], steps=200)) != []
    training = watched("b", Deaf(), by=[ConditioningMonitor()], steps=29)
    assert warned(training) == []
    long = watched("c", Deaf(), by=[ConditioningMonitor()], steps=300)
    assert warned(long)[0][0] == 60


# what draws tell


def draws(right, other, misled=None):
    return ValidationLosses(
        {"right": right, "other": other, "none": other}, misled or [True] * len(right)
    )


def test_a_difference_counts_against_its_noise():
    noise = [0.1 * (-1) ** it for it in range(32)]
    right = [1.0 + it for it in noise]
    assert ConditioningGap.of(draws(right, [it + 0.01 for it in right]), reads=False).is_heeded
    assert not ConditioningGap.of(draws(right, [1.01 - it for it in noise]), reads=False).is_heeded
    assert not ConditioningGap.of(draws(right, [it + 1e-5 for it in right]), reads=False).is_heeded
    assert not ConditioningGap.of(draws(right, [it - 0.01 for it in right]), reads=False).is_heeded


def test_great_harm_to_a_few_draws_does_not_hide_that_nearly_all_are_worse():
    right = [-1.0] * 16
    wrong = [-0.5] * 14 + [-1.1, 500.0]
    gap = ConditioningGap.of(draws(right, wrong), reads=False)
    assert gap.wrong - gap.right < 2 * gap.error
    assert gap.is_heeded
    assert not ConditioningGap.of(
        draws(right, [-0.5] * 9 + [-1.5] * 6 + [500.0]), reads=False
    ).is_heeded


def test_draws_that_were_told_the_same_caption_do_not_count():
    right, other = [1.0] * 16, [1.5] * 8 + [1.0] * 8
    half = [True] * 8 + [False] * 8
    assert ConditioningGap.of(draws(right, other, half), reads=True).wrong == 1.5
    assert ConditioningGap.of(draws(right, other, half), reads=False).wrong == 1.25
    assert ConditioningGap.of(draws(right, other, [False] * 16), reads=True) is None


def test_losses_that_are_not_finite_tell_nothing():
    assert ConditioningGap.of(draws([1.0] * 16, [float("nan")] * 16), reads=False) is None
