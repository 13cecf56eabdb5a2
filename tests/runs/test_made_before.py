"""A run begun before the house was redrawn (commit 7537d28) goes on, and ends in the same audio.

made_before/run is what `mousai-kit run nano.yaml` had left at step 4 of the generator's 6;
expected.* is what that commit made of it: OMP_NUM_THREADS=1, torch 2.13.0, an Intel Xeon with AMX.
"""

import shutil
from pathlib import Path

import nano
import pytest
import soundfile
import torch
from safetensors.torch import load_file

KEPT = Path(__file__).with_name("made_before")


def is_a_machine_like_that():
    """Return whether the last bits have to agree: other processors' kernels add in other orders."""
    facts = Path("/proc/cpuinfo")
    processor = facts.read_text() if facts.exists() else ""
    return (
        torch.__version__.startswith("2.13.")
        and torch.get_num_threads() == 1
        and "GenuineIntel" in processor
        and "amx_bf16" in processor
    )


def test_a_run_of_before_opens_goes_on_and_makes_the_same_audio(here, capfd):
    shutil.copytree(KEPT / "run", "run")
    said = nano.call(capfd, "run", "run/recipe.yaml", "--out", "run")
    assert said.code == 0
    assert " now\n" not in said.err
    assert "autoencoder: trained already" in said.err
    assert "generator: going on from step 4" in said.err
    made = load_file("run/generator/weights.safetensors")
    expected = load_file(KEPT / "expected.safetensors")
    audio, _ = soundfile.read("run/audio/low-saw-chord-0.flac")
    expected_audio, _ = soundfile.read(KEPT / "expected.flac")
    assert made.keys() == expected.keys()
    for name, tensor in made.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-5)
    assert audio == pytest.approx(expected_audio, abs=1e-3)
    if is_a_machine_like_that():
        assert all(torch.equal(tensor, expected[name]) for name, tensor in made.items())
        assert (audio == expected_audio).all()


def test_a_run_folders_own_recipe_is_read_in_silence(tmp_path, capfd):
    run = shutil.copytree(KEPT / "run", tmp_path / "run")
    assert nano.call(capfd, "show", run).err == ""
    assert nano.call(capfd, "show", run, "--set", "stages.generator.train.keep=3").err == (
        "--set stages.generator.train.keep=3: stages.generator.train.keep: "
        "is called 'keep_checkpoints' now\n"
    )


def test_a_recipe_that_the_user_wrote_keeps_its_notices(tmp_path, capfd):
    mine = shutil.copy(KEPT / "run/recipe.yaml", tmp_path / "mine.yaml")
    told = nano.call(capfd, "show", mine).err.splitlines()
    assert len(told) == 13
    assert told[-1] == f"{mine}:191: stages.generator.train.finish: is called 'final_weights' now"
