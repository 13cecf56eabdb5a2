"""Freezing: what a pattern names stays as it is to the bit, and takes no room in checkpoints."""

from pathlib import Path

import nano
import pytest
from safetensors.torch import load_file

from mousai_kit.core.errors import RecipeError
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.run import train_run

FROM = "stages.autoencoder.weights=runs/nano"


def train(*overrides, folder="runs/new"):
    system = nano.system(*overrides, text=nano.AUTOENCODER_ONLY, folder=folder)
    train_run(system)
    return load_file(Path(folder) / "autoencoder/weights.safetensors")


def checkpoint(folder="runs/new"):
    return load_file(RunFolder(Path(folder)).stage("autoencoder").checkpoint)


def test_what_is_frozen_stays_to_the_bit_and_the_rest_learns(trained):
    base = load_file(trained / "autoencoder/weights.safetensors")
    after = train(FROM, "stages.autoencoder.freeze=[encoder.*, '*.norm.*']")
    frozen = {it for it in base if it.startswith("encoder.") or ".norm." in it}
    buffers = {"domain.scale"}
    assert {it for it in base if base[it].equal(after[it])} == frozen | buffers


def test_a_checkpoint_lacks_what_is_frozen_and_given(trained):
    train(FROM, "stages.autoencoder.freeze=[encoder.*]")
    names = checkpoint()
    assert not [it for it in names if "encoder." in it]
    assert {it.split("/")[0] for it in names} == {"live", "ema", "optimizer"}
    assert not Path("runs/new/autoencoder/learned.safetensors").exists()


def test_fresh_weights_that_are_frozen_are_kept_in_checkpoints(here):
    fresh = nano.system(text=nano.AUTOENCODER_ONLY).cascade.stages["autoencoder"]
    before = {name: it.clone() for name, it in fresh.state_dict().items()}
    after = train("stages.autoencoder.freeze=[encoder.*]")
    frozen = [it for it in after if it.startswith("encoder.")]
    assert all(after[it].equal(before[it]) for it in frozen)
    assert {f"live/{it}" for it in frozen} <= checkpoint().keys()
    assert not [it for it in checkpoint() if it.startswith("ema/encoder.")]


def test_a_resumed_training_with_frozen_parts_ends_with_the_same_bits(trained):
    said = (FROM, "stages.autoencoder.freeze=[encoder.*]")
    whole = train(*said)
    train(*said, "stages.autoencoder.train.steps=2", folder="runs/halves")
    halves = train(*said, folder="runs/halves")
    assert all(whole[it].equal(halves[it]) for it in whole)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["freeze=[encodr.*]"],
            "freeze.0: no parameter matches 'encodr.*'; did you mean 'encoder.*'?",
        ),
        (["freeze=[zzzz]"], "freeze.0: no parameter matches 'zzzz'; there are encoder.*, unet.*"),
        (
            ["freeze=['*']"],
            ("freeze: leaves nothing to learn, which is for complete `weights` to be taken as they "
            "are"),
        ),
        (["lora={}", "weights=x", "lora.on=[unet]"],
         "lora.on.0: no layer matches 'unet'; did you mean 'unet.*'?"),
        (["lora={}"], "lora: is for given weights; name them with `weights`"),
        (["partial=true"], "partial: is for given weights; name them with `weights`"),
        (["revision=main"], "revision: is for given weights; name them with `weights`"),
        (["weights=x", "lora={}", "freeze=[encoder.*]"],
         "freeze: does not go with `lora`, which learns its adapters alone"),
        (["weights=x", "lora={}", "partial=true"],
         "partial: does not go with `lora`, which learns its adapters alone"),
    ],
)  # fmt: skip
def test_what_can_not_be_tuned_so_is_one_line_of_validate(command, overrides, message):
    Path("nano.yaml").write_text(nano.AUTOENCODER_ONLY)
    said = [word for it in overrides for word in ("--set", f"stages.autoencoder.{it}")]
    answer = command("validate", "nano.yaml", *said)
    key = message.partition(":")[0]
    line = answer.err.strip()
    assert (answer.code, len(line.splitlines())) == (2, 1)
    assert line.endswith(f"stages.autoencoder.{message}"), line
    assert f"{key.split('.')[0]}" in line.partition(": ")[0]


def test_all_patterns_that_match_nothing_are_told_at_once(here):
    with pytest.raises(RecipeError) as refused:
        train("stages.autoencoder.freeze=[encodr.*, unit.*]")
    assert [it.path for it in refused.value.problems] == [
        "stages.autoencoder.freeze.0",
        "stages.autoencoder.freeze.1",
    ]
    assert not Path("runs/new/recipe.yaml").exists()
