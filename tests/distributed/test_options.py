"""Each way to train does with several processes what it does with one, whole or in parts (FSDP)."""

import os
from pathlib import Path

import nano
import pytest
import torch
from alike import ADAPTER_BOUND, BOUND, assert_alike
from launched import FSDP, together, train
from torch.distributed.fsdp import FSDPModule

from mousai_kit.distributed import fsdp
from mousai_kit.runs import checkpoint
from mousai_kit.training.train_step import TrainStep
from mousai_kit.training.trainer import Trainer

pytestmark = pytest.mark.xdist_group("options of ranks")  # `runs` takes long
SPOILT = {"step": 2, "place": 2}
"""The clip that gives no loss: of four the first of the second process."""


def options(base):
    """Return what is asked of the two stages: each option in one of them, at least."""
    both = ("batch=4", "accumulate=2", "final_weights=best")
    stages = ("autoencoder", "generator")
    return [
        *(f"stages.{stage}.train.{it}" for stage in stages for it in both),
        "stages.autoencoder.freeze=['unet.*']",
        "stages.autoencoder.train.on_bad_loss=back-off",
        f"stages.generator.weights={base}",
        "stages.generator.lora={rank: 2, alpha: 8}",
        "stages.generator.train.learning_rate=0.01",
        "stages.generator.train.recompute=true",
        "stages.generator.train.on_bad_loss=skip",
    ]


def spoil(name):
    """Let a clip have no loss, in whichever process it is learned, and validation find decline."""
    gradients, validate = TrainStep.gradients, Trainer.validate

    def spoilt(self, batch, step):
        if step == 0:
            _note_what_is_held(self, name)
        place = SPOILT["place"] - self.ranks.own.index * len(batch.texts)
        if step == SPOILT["step"] and 0 <= place < len(batch.texts):
            batch.signal[place] = float("nan")
        return gradients(self, batch, step)

    def worse(self):
        return {name: loss + self.step for name, loss in validate(self).items()}

    TrainStep.gradients, Trainer.validate = spoilt, worse


def _note_what_is_held(learner, name):
    """Write down how many numbers of a stage's weights a process holds, a line a stage; and which
    classes of modules are gathered by themselves.
    """
    here = [getattr(it, "to_local", lambda it=it: it)() for it in learner.stage.parameters()]
    with Path(f"{name}.{learner.ranks.own.index}.held").open("a") as file:
        file.write(f"{sum(it.numel() for it in here)}\n")
    blocks = {type(it).__name__ for it in learner.stage.modules() if isinstance(it, FSDPModule)}
    with Path(f"{name}.{learner.ranks.own.index}.blocks").open("a") as file:
        file.write(f"{' '.join(sorted(blocks))}\n")


def held(runs, name, rank):
    return [int(it) for it in (runs / f"{name}.{rank}.held").read_text().split()]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, trained_once):
    """Runs with all options by one process, by two, and by two with FSDP; and what they said."""
    folder = tmp_path_factory.mktemp("options")
    before = Path.cwd()
    os.chdir(folder)
    nano.recipe()

    def learn(name):
        spoil(name)
        return train(name, *options(trained_once))

    try:
        for name, count, environment in (("one", 1, {}), ("ddp", 2, {}), ("fsdp", 2, FSDP)):
            ended = together(count, lambda rank, name=name: learn(name), **environment)
            assert [it.code for it in ended] == [0] * count, ended[-1].err
    finally:
        os.chdir(before)
    return folder


@pytest.mark.parametrize("way", ["ddp", "fsdp"])
@pytest.mark.parametrize("stage", ["autoencoder", "generator"])
def test_processes_learn_what_one_learns_whatever_a_recipe_asks_for(runs, way, stage):
    bound = ADAPTER_BOUND if stage == "generator" else BOUND
    assert_alike(runs / "one" / stage, runs / way / stage, bound)


@pytest.mark.parametrize("way", ["one", "ddp", "fsdp"])
@pytest.mark.parametrize("stage", ["autoencoder", "generator"])
def test_the_bad_loss_and_the_better_past_were_there(runs, way, stage):
    told = [
        it["warning"] for it in nano.log_of(runs / way / stage / "log.jsonl") if "warning" in it
    ]
    does = {
        "autoencoder": "back to the last checkpoint's weights",
        "generator": "the batch is left",
    }
    assert any("the loss is not finite" in it and does[stage] in it for it in told)
    header = checkpoint.read_header(runs / way / stage / "weights.safetensors")
    assert (header["step"], header["best"]["step"]) == (4, 2)


def test_with_fsdp_alone_each_process_holds_its_part_of_the_weights(runs):
    whole = held(runs, "one", 0)
    assert [held(runs, "ddp", rank) for rank in (0, 1)] == [whole, whole]
    first, second = held(runs, "fsdp", 0), held(runs, "fsdp", 1)
    assert [sum(parts) for parts in zip(first, second, strict=True)] == whole
    assert all(part < 0.6 * all_of_it for part, all_of_it in zip(first, whole, strict=True))


def test_with_fsdp_the_named_blocks_that_a_stage_has_are_gathered_one_at_a_time(runs):
    blocks = ["FSDPItem", "FSDPItem FSDPT5Block"]
    for rank in (0, 1):
        assert (runs / f"fsdp.{rank}.blocks").read_text().splitlines() == blocks
        assert (runs / f"ddp.{rank}.blocks").read_text().split() == []


def test_views_are_copied_wherever_a_block_returns_them():
    x = torch.ones(4)
    view, nothing, (same, another) = fsdp._no_view(None, (), (x.view(2, 2), None, [x, x[:2]]))
    assert not view._is_view()
    assert not another._is_view()
    assert nothing is None
    assert same is x
