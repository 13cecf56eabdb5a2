"""What a stage may hear of its training: the step that is taken, and its averaged weights."""

import nano
import pytest
import torch
from test_trainer import Numbers, Toy, each, interrupted_at, made
from torch import nn

from mousai_kit.core.errors import RecipeError, TrainingError
from mousai_kit.core.interfaces import SignalSpace, Stage
from mousai_kit.core.plugins import installed_registry
from mousai_kit.distributed import Communicator
from mousai_kit.recipe import Train, load_recipe
from mousai_kit.training.run import check_distributed
from mousai_kit.training.train_step import NOT_SHARDED, TrainStep
from mousai_kit_mousai.text_to_latent import TextToLatent


class Taught(Stage):
    """A stage that learns what its own average says, as in consistency training."""

    name = "taught"
    needs_average = True

    def __init__(self):
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.input_space, self.latent_space = SignalSpace(1, 1, 8000), None
        self.net = nn.Conv1d(1, 1, 3, padding=1)
        self.steps, self.lessons = [], []

    def on_train_step(self, step, total):
        self.steps.append((step, total))

    def loss(self, signal, prompts, *, noise, condition="training"):
        noised = signal + noise.like(signal)
        guess = self.net(noised)  # before the teacher: the average must not touch what it needs
        lesson = self.with_average(lambda: self.net(signal))
        weight = self.with_average(lambda: self.net.weight.detach().clone())
        self.lessons.append((condition, weight, self.net.weight.detach().clone()))
        assert not lesson.requires_grad
        return (guess - lesson - signal).square().mean((1, 2))

    def encode(self, signal):
        return signal

    def decode(self, latents, request):
        return latents


@pytest.mark.parametrize("parts", [1, 2])
def test_a_stage_hears_of_each_step_once_before_its_loss(here, parts):
    stage = Taught()
    made(stage=stage, accumulate=parts).run()
    assert stage.steps == [(step, 6) for step in range(6)]


@pytest.mark.parametrize("stop", [1, 4])
def test_after_a_resume_it_hears_the_step_that_is_next(here, stop):
    work = made(stage=Taught())
    with pytest.raises(KeyboardInterrupt):
        each(work, interrupted_at(stop, work))
    stage = Taught()
    again = made(stage=stage)
    again.restore()
    again.run()
    assert stage.steps == [(step, 6) for step in range(stop, 6)]


def test_the_teacher_is_the_average_and_the_pupil_learns(here):
    stage = Taught()
    work = made(stage=stage, ema=0.9, learning_rate=0.1)
    averages = []
    each(work, lambda loss: averages.append(work.learner.ema.weights["net.weight"].clone()))
    taught = [(weight, own) for condition, weight, own in stage.lessons if condition == "training"]
    assert len(taught) == 6
    for (weight, own), average in zip(taught[1:], averages, strict=False):
        assert torch.equal(weight, average)
        assert not torch.equal(weight, own)
    owns = [own for _, own in taught]
    assert not torch.equal(owns[0], owns[-1])


def test_in_validation_and_after_training_the_weights_are_its_own(here):
    stage = Taught()
    made(stage=stage, held_out=Numbers(2), learning_rate=0.1, ema=0.9).run()
    others = [(weight, own) for condition, weight, own in stage.lessons if condition != "training"]
    assert others
    assert all(torch.equal(weight, own) for weight, own in others)
    assert torch.equal(stage.with_average(lambda: stage.net.weight.clone()), stage.net.weight)


def test_interrupted_anywhere_it_ends_where_it_would_have(here):
    whole = Taught()
    made("whole", stage=whole, learning_rate=0.1).run()
    work = made("parts", stage=Taught(), learning_rate=0.1)
    with pytest.raises(KeyboardInterrupt):
        each(work, interrupted_at(3, work))
    again = made("parts", stage=Taught(), learning_rate=0.1)
    again.restore()
    again.run()
    assert torch.equal(again.stage.net.weight, whole.net.weight)


def test_a_stage_that_asks_for_nothing_is_as_ever(here):
    stage = Toy()
    work = made(stage=stage)
    step = TrainStep(stage, Train(steps=1, batch=1), seed=0)
    assert step.average.keys() == step.ema.weights.keys()
    work.run()
    assert stage._average is None


class Sharded(Communicator):
    """Processes with a part of the weights each."""

    is_sharded = True

    def wrap(self, module):
        return module


def test_with_parts_of_the_weights_it_is_refused_before_all(here):
    class Needy(TextToLatent):
        """A generator that learns from its average."""

        needs_average = True

    known = installed_registry().replacing(Needy, owner="test")
    (here / "nano.yaml").write_text(nano.RECIPE)
    with pytest.raises(RecipeError) as refused:
        check_distributed(load_recipe("nano.yaml", registry=known), Sharded())
    assert str(refused.value) == f"nano.yaml:18: stages.generator.model: {NOT_SHARDED}"


def test_a_stage_that_asks_without_saying_so_is_told_at_its_first_step():
    step = TrainStep(Taught(), Train(steps=1, batch=1), seed=0, ranks=Sharded())
    with pytest.raises(TrainingError) as refused:
        step.stage.with_average(lambda: None)
    assert str(refused.value) == f"taught: {NOT_SHARDED}"
