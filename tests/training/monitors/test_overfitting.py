"""Validation that rises while training falls: told, and no other."""

import re

import torch
from torch import nn
from watched import Toy, Words, warned, warnings, watched

from mousai_kit.training.monitors import OverfittingMonitor
from mousai_kit.training.train_step import StepResult
from mousai_kit.training.validation import ValidationLosses


class Memory(Toy):
    """Foretells one half of a clip from the other: of noise there is nothing to learn."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(16, 16, bias=False)
        nn.init.zeros_(self.net.weight)

    def loss(self, signal, prompts, *, noise, condition="training"):
        return (self.net(signal[:, 0, :16]) - signal[:, 0, 16:]).square().mean(1)


def test_it_is_told_with_the_step_of_the_best(here):
    training = watched(
        "a",
        Memory(),
        clips=Words(8),
        held_out=Words(8, seed=1),
        by=[OverfittingMonitor()],
        steps=60,
    )
    training.settings = training.settings.model_copy(update={"learning_rate": 0.01})
    ((step, line),) = warned(training)
    assert step == 40
    pattern = (
        r"validation rises, from (\S+) at step 10 to (\S+), while training falls from "
        r"(\S+) to (\S+): clips are learned by heart; train on more music, or take "
        r"the best weights \(`final_weights: best`\)"
    )
    before, now, then, learned = map(float, re.fullmatch(pattern, line).groups())
    assert before < now
    assert learned < then


def test_what_falls_on_held_out_clips_too_is_not_told(here):
    training = watched("a", clips=Words(8), held_out=Words(8), by=[OverfittingMonitor()])
    assert warned(training) == []


def test_what_rises_in_training_too_is_not_told(here):
    for number, falls in enumerate((False, True)):
        overfitting = OverfittingMonitor()
        training = watched(f"{number}", by=[overfitting])
        for step in range(1, 7):
            training.state.step = step
            overfitting.on_step_end(
                training, StepResult([1 - 0.1 * step if falls else step], 1.0, ["a"])
            )
            training.draws = ValidationLosses({"right": [1.0 + step] * 8}, [True] * 8)
            overfitting.on_validation_end(training, training.draws.means)
        log = training.place.log
        assert [step for step, _ in warnings(log)] == [4] if falls else not log.exists()


def test_what_changes_within_noise_is_not_told(here):
    torch.manual_seed(0)
    training = watched("a", held_out=Words(8), by=[OverfittingMonitor()], learning_rate=1e-7)
    assert warned(training) == []
