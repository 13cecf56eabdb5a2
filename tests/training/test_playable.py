"""What a training has learned so far, as a run that makes music."""

import shutil
from pathlib import Path

import nano
import pytest
import torch

from mousai_kit.core.errors import MousaiError
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.playable import PlayableRun
from mousai_kit.training.run import train_run

TUNED = """\
extends: nano.yaml
name: tuned
stages:
  autoencoder: {weights: runs/nano, freeze: ['*']}
  generator: {weights: runs/nano}
"""
LORA = TUNED.replace("generator: {", "generator: {lora: {rank: 2}, ")


def train(text, folder, steps):
    """Train the generator for some steps; return the run folder."""
    system = nano.system(
        f"stages.generator.train.steps={steps}", text=text, folder=folder, path="tuned.yaml"
    )
    train_run(system)
    return Path(folder)


def interrupt(run):
    """Leave what there would be had the generator's training ended after its step 2."""
    for name in ("weights.safetensors", "best.safetensors", "adapter.safetensors"):
        (run / "generator" / name).unlink(missing_ok=True)
    (run / "generator/checkpoints/step-00000004.safetensors").unlink()


@pytest.mark.parametrize("text", [TUNED, LORA])
def test_a_checkpoint_plays_as_a_training_that_ended_there(trained, text):
    ended = train(text, "runs/ended", 2)
    longer = train(text, "runs/longer", 4)
    interrupt(longer)
    found = PlayableRun.find(longer)
    assert (found.step, found.is_finished) == (2, False)
    made = found.write(Path("playable"))
    expected = checkpoint.read_checkpoint(ended / "generator/weights.safetensors")[0]
    weights, header = checkpoint.read_checkpoint(made / "generator/weights.safetensors")
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert header["step"] == 2
    assert (made / "generator/adapter.safetensors").exists() == (text == LORA)
    assert not (made / "generator/learned.safetensors").exists()
    again = PlayableRun.find(made)
    assert (again.step, again.is_finished) == (2, True)
    RunFolder(made).load(again.recipe, "generator")  # which checks what made them


def test_a_finished_run_is_the_same_files_under_other_names(trained):
    found = PlayableRun.find(trained)
    assert (found.step, found.is_finished) == (4, True)
    made = found.write(Path("playable"))
    for stage in ("autoencoder", "generator"):
        one, other = (place / stage / "weights.safetensors" for place in (trained, made))
        assert one.samefile(other)
    assert nano.names() == ["nano.yaml", "playable", "runs"]


def test_what_has_learned_nothing_yet_is_told(trained):
    shutil.rmtree(trained / "generator")
    with pytest.raises(MousaiError, match="nano/generator: has no weights and no checkpoint yet"):
        PlayableRun.find(trained)
    (trained / "recipe.yaml").unlink()
    with pytest.raises(MousaiError, match=r"nano: holds no recipe\.yaml yet"):
        PlayableRun.find(trained)


def test_a_broken_checkpoint_is_passed_over_or_told_and_leaves_nothing(trained):
    longer = train(TUNED, "runs/longer", 4)
    (longer / "generator/weights.safetensors").unlink()
    newest = longer / "generator/checkpoints/step-00000004.safetensors"
    data = bytearray(newest.read_bytes())
    data[-3] ^= 1
    newest.write_bytes(data)
    with pytest.raises(MousaiError, match="is broken: its numbers are not"):
        PlayableRun.find(longer).write(Path("playable"))
    assert "playable" not in nano.names()
    nano.cut(newest)
    assert PlayableRun.find(longer).step == 2


def test_a_checkpoint_whose_base_has_changed_is_not_put_on_another(trained):
    longer = train(LORA, "runs/longer", 4)
    interrupt(longer)
    path = trained / "generator/weights.safetensors"
    tensors, header = checkpoint.read_checkpoint(path)
    about = {key: value for key, value in header.items() if key not in checkpoint.PLAIN}
    moved = {k: v + 1 if v.is_floating_point() else v for k, v in tensors.items()}
    checkpoint.write_checkpoint(path, moved, about)
    with pytest.raises(MousaiError, match=r"was learned beside other weights than .*nano"):
        PlayableRun.find(longer).write(Path("playable"))
