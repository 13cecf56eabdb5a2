"""Plans: measured in a process of their own, right about what fits, and without a trace."""

import json
import os

import nano
import pytest
import torch

from mousai_kit.models import memory as meter
from mousai_kit.models.cascade import Cascade
from mousai_kit.training.planning import plan_training
from mousai_kit.training.planning.cost import Task
from mousai_kit.training.planning.measuring import CostEstimator
from mousai_kit.training.planning.probe import doubling, run_probe
from mousai_kit.training.run import train_run

CPU = torch.device("cpu")
LARGE = (
    "stages.autoencoder.model.unet.channels=[64, 64]",
    "stages.autoencoder.train.length=32768",
    "stages.autoencoder.train.batch=16",
)
"""A step of some 200 MB."""
AMPLE = 240
"""Seconds that no plan here takes, on however busy a machine: it ends when all is measured."""


def planned(*overrides, memory=None, seconds=AMPLE, text=nano.AUTOENCODER_ONLY):
    recipe = nano.recipe(*overrides, text=text)
    return plan_training(recipe, seconds=seconds, memory=memory, report=lambda line: None)


def probed(*overrides, most=4, seconds=AMPLE, limit=2**40, stage="autoencoder", text=nano.RECIPE):
    recipe = nano.recipe(*overrides, text=text)
    settings = recipe.stages[stage].train.model_dump()
    return run_probe(
        Task(recipe.to_yaml(), stage, settings, limit), doubling(most), seconds=seconds
    )


def test_following_the_advice_makes_it_fit(here):
    (whole,) = planned(*LARGE)["stages"]
    one, most = whole["measured"][0]["bytes"], whole["step"]["bytes"]
    assert most > one + 50e6
    little = int((one + 0.4 * (most - one)) / 0.9)
    (tight,) = planned(*LARGE, memory=little)["stages"]
    assert (whole["fits"], tight["fits"]) == (True, False)
    offer = tight["advice"][0]
    assert offer["bytes"] <= 0.9 * little
    (followed,) = planned(*LARGE, *offer["set"], memory=little)["stages"]
    assert followed["fits"]
    assert followed["step"]["bytes"] == pytest.approx(offer["bytes"], rel=0.15)


def test_what_is_tried_is_told_once_each(here):
    told, recipe = [], nano.recipe(text=nano.AUTOENCODER_ONLY)
    outline = Cascade.build(recipe, device="meta")
    costing = CostEstimator(
        recipe, "autoencoder", outline, seconds=0, memory=2**40, report=told.append
    )
    train = recipe.stages["autoencoder"].train
    for changes in ({}, {"recompute": True, "length": 4096}, {}):
        costing.of(train.model_copy(update=changes))
    assert told == [
        "autoencoder: estimating a step by its shapes",
        "autoencoder: estimating a step by its shapes, with recompute true, with length 4096",
    ]


def test_what_the_asking_process_once_held_does_not_count(here):
    """In room for what a step took before, and some more: how much that is depends on no load."""
    (before,) = planned()["stages"]
    room = int(before["step"]["bytes"] / 0.9 + 300e6)
    assert room < 1.5e9
    torch.ones(int(4e8)).sum()
    assert meter.peak_bytes(CPU) > 1.5e9
    (told,) = planned(memory=room)["stages"]
    assert (told["fits"], told["step"]["measured"]) == (True, True)


def test_both_stages_are_planned_and_nothing_is_written(here, capfd):
    (here / "nano.yaml").write_text(nano.RECIPE)
    said = nano.call(capfd, "plan", "nano.yaml", "--seconds", str(AMPLE), "--json")
    assert (said.code, nano.names()) == (0, ["nano.yaml"])
    assert said.err.splitlines() == [
        "autoencoder: estimating a step by its shapes",
        "autoencoder: building it to measure steps",
        "autoencoder: measuring a step of 1",
        "autoencoder: measuring a step of 2",
        "generator: estimating a step by its shapes",
        "generator: building it to measure steps",
        "generator: measuring a step of 1",
        "generator: measuring a step of 2",
        "generator: measuring how long a crop is encoded",
    ]
    lower, upper = json.loads(said.out)["stages"]
    assert [it["batch"] for it in upper["measured"]] == [1, 2]
    assert all(
        it["step"]["measured"] and it["fits"] and it["advice"] == [] for it in (lower, upper)
    )
    assert (lower["latents"], upper["latents"]["crops"]) == (None, 8)
    assert upper["latents"]["bytes"] == 8 * 4 * 4 * 16
    assert upper["data"] == {"clips": 4, "epochs": 2.0, "fault": ""}
    assert upper["run"]["seconds"] == pytest.approx(4 * upper["step"]["seconds"])


def test_what_the_checkpoint_takes_is_told(here):
    (told,) = planned(seconds=1.0)["stages"]
    system = nano.system(text=nano.AUTOENCODER_ONLY)
    train_run(system)
    files = system.folder.stage("autoencoder")
    assert files.checkpoint.stat().st_size == pytest.approx(told["disk"]["checkpoint"], rel=0.2)
    assert files.weights.stat().st_size == pytest.approx(told["disk"]["weights"], rel=0.2)


def test_what_run_compiles_is_measured_without_and_told(here):
    (told,) = planned("stages.autoencoder.train.compile=true")["stages"]
    assert told["measured"]
    assert told["notes"] == ["measured without `compile`; steps differ, once compiled"]


def test_what_is_frozen_has_no_moments(here):
    (told,) = planned("stages.autoencoder.freeze=[encoder.*]", seconds=1.0)["stages"]
    learned, frozen = told["parameters"].values()
    assert min(learned, frozen) > 0
    assert told["state"]["moments"] == 8 * learned
    assert told["step"]["bytes"]


def test_data_that_is_not_there_is_told_and_the_rest_planned(here):
    (told,) = planned("data={use: folder, path: missing}", seconds=1.0)["stages"]
    assert told["data"] == {
        "clips": None,
        "epochs": None,
        "fault": (
            f"--set data={{use: folder, path: missing}}: data.path: {here}/missing: there is no "
            "such folder; `path` names the folder of your music"
        ),
    }
    assert told["step"]["bytes"]


def test_a_text_encoder_that_is_not_here_is_left_out_and_told(here):
    found = probed("stages.generator.model.text={use: t5}", stage="generator", most=1)
    assert found.missing == (
        "text encoder 't5' is not on this machine and not counted; `run` fetches it"
    )
    assert [it.batch for it in found.points] == [0, 1]


def test_too_little_memory_ends_the_probe_in_one_line(here):
    found = probed(limit=2**20, text=nano.AUTOENCODER_ONLY)
    assert found.stopped.memory
    assert [it.batch for it in found.points] == [0]


def test_a_probe_that_the_system_ends_is_told_in_one_line(here, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (here / "sitecustomize.py").write_text(
        "import sys, os, signal\n"
        "if '--multiprocessing-fork' in sys.argv: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    found = probed(text=nano.AUTOENCODER_ONLY)
    assert found.stopped.reason == "the system ended the probe, mostly for want of memory"


@pytest.mark.parametrize("text", ["12XB", "much", "0", "-1GB", "1e3", "GB"])
def test_a_size_that_is_none_is_refused(here, capfd, text):
    said = nano.call(capfd, "plan", "mousai-tiny", f"--memory={text}")
    assert (said.code, said.out) == (2, "")
    assert said.err == f"--memory: must be a size such as 12GB or 800MiB (got '{text}')\n"
