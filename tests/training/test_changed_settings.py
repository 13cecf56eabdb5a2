"""`run --go-on`: a stage of which only training settings changed goes on from its checkpoint."""

import shutil
from pathlib import Path

import nano
import pytest

import mousai_kit.api as mk
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run
from mousai_kit.training.trainer import Trainer

FASTER = "stages.autoencoder.train.learning_rate=1e-2"
LONGER = "stages.autoencoder.train.steps=8"
STAGE = Path("runs/nano/autoencoder")
CHANGE = {"step": 4, "keys": {"train.learning_rate": [0.0001, 0.01]}}


class Killed(Exception):  # noqa: N818 - it is no error
    """What ends a training in mid-step."""


def train(*overrides, go_on=True, text=nano.AUTOENCODER_ONLY):
    train_run(nano.system(*overrides, text=text), go_on=go_on)


def header(path=STAGE / "weights.safetensors"):
    return checkpoint.read_header(path)


def losses():
    return [
        (line["step"], line["loss"]) for line in nano.log_of(STAGE / "log.jsonl") if "loss" in line
    ]


def learning_rates():
    lines = nano.log_of(STAGE / "log.jsonl")
    return [line["learning_rate"] for line in lines if "learning_rate" in line]


@pytest.fixture
def interrupted(here, monkeypatch):
    """A run that was interrupted at step 4 of 8."""
    stop_at(monkeypatch, 5, LONGER, go_on=False)
    assert STAGE.joinpath("checkpoints/step-00000004.safetensors").exists()
    assert not STAGE.joinpath("weights.safetensors").exists()


def stop_at(monkeypatch, step, *overrides, go_on):
    """Train until the batch of a step is to be learned, as if killed there."""
    before = Trainer.train_step

    def killed(self, batch):
        if self.step + 1 == step:
            raise Killed
        return before(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_step", killed)
        with pytest.raises(Killed):
            train(*overrides, go_on=go_on)


def test_a_changed_learning_rate_goes_on_from_the_checkpoint(interrupted, capfd):
    first = losses()
    train(FASTER, LONGER)
    assert capfd.readouterr().err.split("\n")[0] == (
        "autoencoder: going on with other settings from step 4 (train.learning_rate 0.0001 -> 0.01)"
    )
    assert losses()[: len(first)] == first
    assert [step for step, _ in losses()] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert learning_rates() == [0.0001] * 4 + [0.01] * 4
    assert header()["step"] == 8
    assert header()["changed"] == [CHANGE]
    assert not [*Path("runs/nano").glob("*.old-*")]


def test_moments_are_used_that_the_checkpoint_has(interrupted):
    shutil.copytree("runs", "kept")
    train(FASTER, LONGER)
    with_moments = header()["digest"]
    shutil.rmtree("runs")
    shutil.move("kept", "runs")
    for path in checkpoint.list_checkpoints(STAGE / "checkpoints"):
        tensors, found = checkpoint.read_checkpoint(path)
        for name in tensors:
            if "exp_avg" in name:
                tensors[name].zero_()
        about = {key: value for key, value in found.items() if key not in checkpoint.PLAIN}
        checkpoint.write_checkpoint(path, tensors, about)
    train(FASTER, LONGER)
    assert header()["digest"] != with_moments


def test_what_was_changed_goes_on_without_the_flag_bit_for_bit(interrupted, monkeypatch, capfd):
    shutil.copytree("runs", "kept")
    train(FASTER, LONGER)
    whole = header()["digest"]
    shutil.rmtree("runs")
    shutil.move("kept", "runs")
    stop_at(monkeypatch, 5, FASTER, LONGER, go_on=True)
    capfd.readouterr()
    stop_at(monkeypatch, 7, FASTER, LONGER, go_on=False)
    train(FASTER, LONGER, go_on=False)
    assert "anew" not in capfd.readouterr().err
    assert header()["digest"] == whole
    assert header()["changed"] == [CHANGE]


def test_a_second_change_is_told_beside_the_first(interrupted, monkeypatch, command):
    stop_at(monkeypatch, 7, FASTER, LONGER, go_on=True)
    train("stages.autoencoder.train.batch=3", FASTER, LONGER)
    second = {"step": 6, "keys": {"train.batch": [2, 3]}}
    assert header()["changed"] == [CHANGE, second]
    assert [
        line for line in command("show", "runs/nano").out.splitlines() if "other settings" in line
    ] == [
        "autoencoder: from step 4 on with other settings: train.learning_rate 0.0001 -> 0.01",
        "autoencoder: from step 6 on with other settings: train.batch 2 -> 3",
    ]


def test_without_the_flag_it_trains_anew_and_says_how_not_to(interrupted, capfd):
    train(FASTER, LONGER, go_on=False)
    assert capfd.readouterr().err.split("\n")[0] == (
        "autoencoder: the weights here are another recipe's (differs in "
        "stages.autoencoder.train.learning_rate); they are kept in runs/nano/autoencoder.old-1, "
        "and training begins anew; to go on from step 4 instead, stop, give that folder its name "
        "back, and `run` with --go-on"
    )
    assert learning_rates() == [0.01] * 8
    STAGE.rename("runs/nano/anew")
    Path("runs/nano/autoencoder.old-1").rename(STAGE)
    train(FASTER, LONGER)
    assert learning_rates() == [0.0001] * 4 + [0.01] * 4


@pytest.mark.parametrize("change", ["stages.autoencoder.model.sampler.steps=9", "seed=1"])
def test_another_model_or_seed_still_trains_anew(interrupted, capfd, change):
    changed = "stages.autoencoder.model.unet.modulation_features=8" if "model" in change else change
    train(changed, FASTER, LONGER)
    said = capfd.readouterr().err.split("\n")[0]
    assert said.endswith(
        "they are kept in runs/nano/autoencoder.old-1, and training begins anew; --go-on is for a "
        "checkpoint that differs in settings of `train` alone"
    )
    assert learning_rates() == [0.01] * 8
    assert "changed" not in header()


def test_a_finished_stage_is_taken_over_and_what_stands_above_it_stays(trained, capfd):
    before = [
        header(trained / name / "weights.safetensors") for name in ("autoencoder", "generator")
    ]
    train(FASTER, text=nano.RECIPE)
    after = [
        header(trained / name / "weights.safetensors") for name in ("autoencoder", "generator")
    ]
    assert [one["digest"] for one in before] == [one["digest"] for one in after]
    assert (after[0]["step"], after[0]["changed"]) == (4, [CHANGE])
    said = capfd.readouterr().err
    assert (
        f"; the finished weights are kept as {trained}/autoencoder.old-1/weights.safetensors"
        in said
    )
    assert f"generator: trained already ({trained}/generator/weights.safetensors)" in said
    train(FASTER, text=nano.RECIPE, go_on=False)
    assert capfd.readouterr().err.count("trained already") == 2


def test_more_steps_with_other_settings_go_on_and_what_stands_above_begins_anew(trained, capfd):
    train(FASTER, "stages.autoencoder.train.steps=6", text=nano.RECIPE)
    said = capfd.readouterr().err
    assert "autoencoder: going on from step 4\n" in said
    assert "generator: the weights here are another recipe's (differs in" in said
    assert learning_rates() == [0.0001] * 4 + [0.01] * 2


def test_the_command_and_python_take_it(interrupted, command):
    said = command(
        "run", "nano.yaml", "--go-on", "--set", FASTER, "--set", "stages.autoencoder.train.steps=5"
    )
    assert "going on with other settings from step 4" in said.err
    mk.train(nano.recipe(LONGER, text=nano.AUTOENCODER_ONLY), quiet=True, go_on=True)
    assert learning_rates() == [0.0001] * 4 + [0.01] + [0.0001] * 3
