"""Checkpoints that the authors' packages save are imported, and ours are loaded by them."""

from pathlib import Path

import small_archinet as small
import torch
from comparing import OUTPUTS, error
from reference_models import theirs_of

from mousai_kit.core.console import Screen
from mousai_kit.models.cascade import Cascade
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder

RUN = Path("runs/small")


def theirs(*overrides, stage="autoencoder"):
    """Return a recipe, and the authors' model for one of its stages."""
    recipe = small.recipe(*overrides)
    torch.manual_seed(0)
    built = Cascade.build(recipe, device="meta").stages[stage]
    return recipe, theirs_of(recipe.stages[stage].model, built)


def test_a_checkpoint_of_theirs_makes_the_same_latents_and_comes_back_whole(command):
    recipe, model = theirs()
    torch.save(model.state_dict(), "theirs.pt")
    imported = command(
        "import", "archinet", "theirs.pt", "--stage", "autoencoder",
        "--into", RUN, "--recipe", "small.yaml",
    )  # fmt: skip
    assert imported.err == ""
    system = Run(recipe, RunFolder(RUN), Screen()).load(["autoencoder"])
    wave = torch.randn(2, 1, 1024) * 0.3
    with torch.no_grad():
        latents = system.cascade.stages["autoencoder"].encode(wave)
        assert error(latents, model.encode(wave)) < OUTPUTS

    assert command("export", RUN, "--format", "archinet", "--out", "out").err == ""
    exported = torch.load("out/autoencoder.archinet.pt")
    _, other = theirs("seed=1")
    other.load_state_dict(exported, strict=True)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_a_generator_of_theirs_goes_in_and_out(command):
    torch.save(theirs()[1].state_dict(), "autoencoder.pt")
    run = ("--into", RUN, "--recipe", "small.yaml")
    command("import", "archinet", "autoencoder.pt", "--stage", "autoencoder", *run)
    _, model = theirs(small.T5, stage="generator")
    torch.save({"state_dict": model.state_dict()}, "generator.ckpt")
    change = ("--into", RUN, "--set", small.T5)
    imported = command("import", "archinet", "generator.ckpt", "--stage", "generator", *change)
    assert imported.err == ""
    command("export", RUN, "--format", "archinet", "--stage", "generator", "--out", "out")
    exported = torch.load("out/generator.archinet.pt")
    assert exported.keys() == model.state_dict().keys()
    model.load_state_dict(exported, strict=True)
