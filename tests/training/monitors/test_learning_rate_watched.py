"""A learning rate that does nothing or too much, a loss that stays, gradients cut short: told."""

import math
import re

import pytest
import torch
from torch import nn
from watched import Toy, Words, warned, watched

from mousai_kit.training.monitors import (
    GradientClipMonitor,
    LossScaleMonitor,
    LossTrendMonitor,
    UpdateRatioMonitor,
)

RATE = "a step moves the weights by (.*) of their size, at a learning rate of "


def test_a_rate_that_does_nothing_is_told_with_how_far_all_steps_come(here):
    ((step, line),) = warned(watched("a", by=[UpdateRatioMonitor()], steps=100, learning_rate=1e-9))
    small, most = re.match(RATE + ".* steps by (.*) at most", line).groups()
    assert 0 < float(most) < 1e-5
    assert float(most) == pytest.approx(100 * float(small), rel=0.05)
    assert (step, line) == (
        100,
        (
            f"a step moves the weights by {small} of their size, at a learning rate of 1e-09: all "
            f"100 steps by {most} at most, which does next to nothing; raise `learning_rate`"
        ),
    )


def test_a_rate_that_throws_weights_about_is_told(here):
    ((step, line),) = warned(watched("a", by=[UpdateRatioMonitor()], learning_rate=100))
    assert re.fullmatch(RATE + "1e\\+02: nothing fine can be learned; lower `learning_rate`", line)
    assert step == 50


@pytest.mark.parametrize("rate", [1e-3, 5e-3])
def test_a_usual_rate_is_not_told(here, rate):
    assert warned(watched("a", by=[UpdateRatioMonitor()], learning_rate=rate)) == []


def test_a_warm_up_is_no_rate_that_does_nothing(here):
    settings = {"learning_rate": 1e-9, "warmup": 100, "steps": 100}
    assert warned(watched("a", by=[UpdateRatioMonitor()], **settings)) == []


class Odd(Toy):
    """Has a loss that is not finite at the 50th step, where weights are compared."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def loss(self, signal, prompts, **told):
        self.steps += 1
        return super().loss(signal, prompts, **told) * (math.inf if self.steps == 50 else 1)


def test_a_step_that_is_left_out_is_no_rate_that_does_nothing(here):
    training = watched("a", Odd(), by=[UpdateRatioMonitor()], steps=100, on_bad_loss="skip")
    ((step, line),) = warned(training)
    assert step == 50
    assert line.startswith("the loss is not finite (NaN or infinity) on '0/")


def test_a_sample_of_weights_is_as_long_as_all_of_them():
    from mousai_kit.training.monitors.optimizer import sample

    generator = torch.Generator().manual_seed(0)
    many = [nn.Parameter(torch.randn(n, 100, generator=generator)) for n in (1, 30, 1000)]
    true = torch.cat([it.detach().flatten() for it in many]).norm()
    assert sample(many).norm() == pytest.approx(true.item(), rel=0.1)
    assert sample([nn.Parameter(torch.zeros(0, 3)), many[0]]).numel() == 100


def test_a_loss_that_stays_is_told_and_one_that_falls_is_not(here):
    ((step, line),) = warned(watched("a", by=[LossTrendMonitor()], steps=250, learning_rate=1e-9))
    before, after, error = (float(it) for it in re.findall(r"\d\.\d{4}", line))
    assert abs(before - after) < 3 * error
    assert (step, line) == (
        200,
        (
            f"the loss has not fallen: {before:.4f} in the first 50 steps, {after:.4f} "
            f"(+-{error:.4f}) in the last 50, at a learning rate of 1e-09; try a tenth of "
            "`learning_rate`, and ten times it"
        ),
    )
    assert warned(watched("b", by=[LossTrendMonitor()], steps=250)) == []


def test_a_loss_that_rises_is_told_too(here):
    training = watched("a", by=[LossTrendMonitor()], steps=250, learning_rate=1000, warmup=200)
    ((_, line),) = warned(training)
    assert line.startswith("the loss has not fallen: ")


def test_gradients_that_are_all_clipped_are_told(here):
    ((step, line),) = warned(watched("a", by=[GradientClipMonitor()], steps=250, clip_norm=1e-3))
    norm = re.search(r"norm is ([^,]*),", line)[1]
    assert (step, line) == (
        200,
        (
            f"100% of the last 200 gradients were clipped (their norm is {norm}, `clip_norm` "
            "0.001): all steps are of one length; raise `clip_norm`, or lower `learning_rate`"
        ),
    )


@pytest.mark.parametrize("settings", [{"clip_norm": 100}, {"clip_norm": 1e-3, "warmup": 100}])
def test_gradients_that_are_not_clipped_or_only_in_the_warm_up_are_not_told(here, settings):
    assert warned(watched("a", by=[GradientClipMonitor()], steps=250, **settings)) == []


class Infinite(Toy):
    """Has a gradient that is not finite, at any scale."""

    def loss(self, signal, prompts, **told):
        return super().loss(signal, prompts, **told) + (0 * self.known.weight).abs().sqrt().sum()


def test_a_scale_of_fp16_that_collapses_is_told(here):
    stage = Infinite()
    before = stage.known.weight.detach().clone()
    training = watched("a", stage, by=[LossScaleMonitor()], steps=30, precision="fp16")
    assert warned(training) == [
        (
            20,
            (
                "the loss scale of fp16 has fallen to 0.062: gradients are infinite and steps are "
                "left out; use `precision: bf16`, or lower `learning_rate`"
            ),
        )
    ]
    assert torch.equal(stage.known.weight, before)


def test_a_scale_of_fp16_that_stays_is_not_told(here):
    assert (
        warned(watched("a", clips=Words(), by=[LossScaleMonitor()], steps=40, precision="fp16"))
        == []
    )
