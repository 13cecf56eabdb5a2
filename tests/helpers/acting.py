"""A training that is only acted: it tells its observers what a real one would."""

import math

import torch
from torch import nn

from mousai_kit.recipe import Train
from mousai_kit.training.checkpointing import TrainingPaths
from mousai_kit.training.train_step import StepResult
from mousai_kit.training.trainer import Trainer


class Toy(nn.Linear):
    """What a trainer asks of a stage's weights."""

    def set_average(self, average):
        """Hear where the averaged weights are, and never ask."""


class Acted(Trainer):
    """Steps when it is told to, in so many seconds, with losses that are given."""

    def __init__(self, folder, *observers, **settings):
        place = TrainingPaths(folder / "c", folder / "w", folder / "log.jsonl", {})
        given = Train(**{"steps": 1000, "batch": 4} | settings)
        super().__init__(
            "toy",
            Toy(1, 1),
            given,
            seed=0,
            place=place,
            clips=[],
            held_out=None,
            report=print,
            observers=observers,
        )
        torch.manual_seed(0)

    def begin(self):
        self.notify("on_train_start")

    def end(self):
        self.notify("on_train_end")

    def steps_of(self, losses, *, seconds=1.0, norm=0.5):
        for loss in losses:
            self.rate = self.learning_rate
            self.state.step += 1
            self.state.seconds += seconds
            self.tell_step(StepResult([loss], norm, ["clip"]))

    def validated(self, **losses):
        self.tell_validation(losses)


def noisy(count, start=1.0, end=1.0, noise=0.0):
    """Return losses along a line, with noise that comes back to where it was."""
    return [
        start + (end - start) * i / max(1, count - 1) + noise * math.sin(9.7 * i)
        for i in range(count)
    ]
