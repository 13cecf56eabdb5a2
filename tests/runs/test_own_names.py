"""Weights under our own names: what one run learned becomes a stage of another."""

from pathlib import Path

import nano
import pytest
import torch
from safetensors.torch import load_file, save_file

from mousai_kit.core.interfaces import GenerationRequest
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run

REQUEST = GenerationRequest(["low saw chord"], seeds=[1], samples=4000, guidance=2.0)


def taken(command, source, stage, into="runs/other"):
    new = () if Path(into).exists() else ("--recipe", "nano.yaml")
    return command("import", "safetensors", source, "--stage", stage, "--into", into, *new)


def weights(run, stage):
    return checkpoint.read_checkpoint(Path(run) / stage / "weights.safetensors")[0]


@pytest.mark.parametrize("form", ["of the run", "exported"])
def test_a_run_whose_stages_are_all_anothers_makes_its_music(trained, command, form):
    if form == "exported":
        assert command("export", trained, "--out", "out").code == 0
    for stage in ("autoencoder", "generator"):
        source = trained / stage / "weights.safetensors"
        source = source if form == "of the run" else f"out/{stage}.safetensors"
        said = taken(command, source, stage)
        assert said.code == 0, said.err
        ours, theirs = weights("runs/other", stage), weights(trained, stage)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert all(ours[name].dtype == theirs[name].dtype for name in ours)
    made, before = (
        nano.system(folder=folder).load().cascade.generate_signal(REQUEST)
        for folder in ("runs/other", trained)
    )
    assert torch.equal(made, before), "its words came along too"


def test_a_trained_autoencoder_saves_another_run_its_training(trained, command, capfd):
    taken(command, trained / "autoencoder" / "weights.safetensors", "autoencoder")
    system = nano.system("stages.generator.model.text_dropout=0.5", folder="runs/other")
    train_run(system)
    assert "autoencoder: imported from" in capfd.readouterr().err
    ours, theirs = weights("runs/other", "autoencoder"), weights(trained, "autoencoder")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_weights_of_another_stage_or_size_are_refused(trained, command):
    source = trained / "generator" / "weights.safetensors"
    changed = {
        name: it[:8] if name == "null" else it
        for name, it in load_file(source).items()
        if name != "mean"
    }
    save_file({**changed, "more": torch.ones(1)}, "odd.safetensors")
    taken(command, trained / "autoencoder" / "weights.safetensors", "autoencoder")
    said = taken(command, "odd.safetensors", "generator")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "odd.safetensors: lacks mean",
        "odd.safetensors: has left over more",
        "odd.safetensors: has another shape for null (8x16 for 16x16)",
    ]
    assert not Path("runs/other/generator/weights.safetensors").exists()
