"""`export`: a run's averaged weights as plain files."""

import json
from pathlib import Path

import nano
import pytest
import small_archinet as small
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder


@pytest.fixture
def run(command):
    """Return a run whose autoencoder came from the authors', and nothing else."""
    small.recipe()
    source = small.saved()
    into = ("--into", "runs/small", "--recipe", "small.yaml")
    assert command("import", "archinet", source, "--stage", "autoencoder", *into).code == 0
    return Path("runs/small")


def refused(said):
    assert said.code == 2
    assert said.out == ""
    return said.err.splitlines()


def test_our_own_names_with_the_recipe_beside_them(run, command):
    said = command("export", run, "--out", "out", "--json")
    assert json.loads(said.out) == ["out/recipe.yaml", "out/autoencoder.safetensors"]
    weights = run / "autoencoder" / "weights.safetensors"
    kept, header = checkpoint.read_checkpoint(weights)
    exported = load_file("out/autoencoder.safetensors")
    assert exported.keys() == kept.keys()
    assert all(torch.equal(exported[name], kept[name]) for name in kept)
    with safe_open("out/autoencoder.safetensors", framework="pt") as file:
        assert file.metadata() | {"made_by": ""} == {
            "made_by": "",
            "recipe": "small",
            "stage": "autoencoder",
            "component": "diffusion-autoencoder",
            "weights": header["digest"],
        }
    assert Path("out/recipe.yaml").read_text() == (run / "recipe.yaml").read_text()


def test_the_authors_names_come_back_as_they_went_in(run, command):
    said = command("export", run, "--format", "archinet")
    assert said.out.splitlines() == [
        f"{run}/export/recipe.yaml",
        f"{run}/export/autoencoder.archinet.pt",
    ]
    state, exported = small.state_dict(), torch.load(run / "export" / "autoencoder.archinet.pt")
    assert exported.keys() == state.keys()
    assert all(torch.equal(exported[name], state[name]) for name in state)


def test_a_tensor_of_several_names_is_stored_once(run, command):
    command("export", run, "--format", "archinet", "--out", "out")
    command("export", run, "--out", "own")
    ours, theirs = Path("own/autoencoder.safetensors"), Path("out/autoencoder.archinet.pt")
    assert theirs.stat().st_size < 1.5 * ours.stat().st_size + 100_000


def test_what_the_authors_have_no_name_for_lies_beside(run, command):
    recipe, folder = small.recipe(small.T5), RunFolder(run)
    source = small.saved("g.pt", state=small.state_dict(small.T5, stage="generator"))
    command("import", "archinet", source, "--stage", "generator", "--into", run, "--set", small.T5)
    weights = folder.stage("generator").weights
    tensors, _ = checkpoint.read_checkpoint(weights)
    changed = {**tensors, "mean": torch.ones(4, 1)}
    checkpoint.write_checkpoint(weights, changed, folder.provenance(recipe, "generator"))
    said = command("export", run, "--format", "archinet", "--stage", "generator", "--out", "out")
    assert nano.names("out") == [
        "generator.archinet.pt",
        "generator.rest.safetensors",
        "recipe.yaml",
    ]
    assert said.out.splitlines()[-1] == "out/generator.rest.safetensors"
    rest = load_file("out/generator.rest.safetensors")
    assert {name: it.flatten().tolist() for name, it in rest.items()} == {
        "mean": [1.0] * 4,
        "deviation": [1.0] * 4,
    }


def test_nothing_is_written_over(run, command):
    Path("out").mkdir()
    Path("out/autoencoder.safetensors").write_text("mine")
    assert refused(command("export", run, "--out", "out")) == [
        "out/autoencoder.safetensors: is there already; name another folder to write to"
    ]
    assert nano.names("out") == ["autoencoder.safetensors"]


def test_a_file_is_no_folder(run, command):
    Path("out").write_text("mine")
    assert refused(command("export", run, "--out", "out")) == [
        "out: is a file; name a folder to write to"
    ]


def test_an_unknown_format_or_stage(run, command):
    known = "'archinet', 'safetensors' and 'stable-audio'"
    assert refused(command("export", run, "--format", "onnx")) == [
        f"--format: no format is called 'onnx'; there are {known}"
    ]
    assert refused(command("export", run, "--stage", "autoencode")) == [
        "--stage: the recipe has no stage 'autoencode'; did you mean 'autoencoder'?"
    ]


def test_a_stage_that_is_not_trained(run, command):
    assert refused(command("export", run, "--stage", "generator")) == [
        (
            f"{run}/generator/weights.safetensors: is missing: the stage is not trained; "
            "`mousai-kit run` trains it"
        )
    ]


def test_a_stage_that_the_authors_do_not_have(trained, command):
    said = refused(command("export", trained, "--format", "archinet", "--stage", "autoencoder"))
    assert [line.split("model.", 1)[1] for line in said] == [
        "domain: archinet has no 'mdct'; it must be 'waveform'",
        "unet.context_injections: archinet hears the latent at one depth (got 2)",
    ]
