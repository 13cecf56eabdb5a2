"""Weights that are taken as they are: a run of them makes music at once, and nothing learns."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

from pathlib import Path

import nano
import pytest
import torch
from safetensors.torch import load_file

from mousai_kit import audio
from mousai_kit.core.errors import RecipeError
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run

TAKEN = nano.RECIPE.replace("    model:\n", "    weights: piano\n    freeze: ['*']\n    model:\n")
ANEW = "; such a model must be trained: change a recipe that does so, as mousai-small does"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


def halve(folder):
    """Let the packaged weights be in half precision."""
    for path in sorted(folder.glob("*/weights.safetensors")):
        tensors, header = checkpoint.read_checkpoint(path)
        half = {
            n: it.half() if it.is_floating_point() and it.ndim > 1 else it
            for n, it in tensors.items()
        }
        about = {k: it for k, it in header.items() if k not in checkpoint.PLAIN}
        if about["below"]:
            about["below"] = [
                checkpoint.read_header(folder / "autoencoder/weights.safetensors")["digest"]
            ]
        checkpoint.write_checkpoint(path, half, about)


def test_a_run_makes_music_and_a_report_at_once(packaged, command):
    Path("own.yaml").write_text(TAKEN)
    said = command("run", "own.yaml")
    assert said.code == 0
    assert said.err.splitlines()[:2] == [
        "autoencoder: takes piano/autoencoder/weights.safetensors",
        "generator: takes piano/generator/weights.safetensors",
    ]
    assert "Report:   runs/nano/report.md" in said.out
    assert said.out.splitlines()[-1] == ("  mousai-kit run mousai-tune --set data.path=~/Music")
    assert not list(Path("runs/nano").glob("*/log.jsonl"))
    assert "generator: trained already" in command("run", "own.yaml").err


def test_half_precision_stays_on_the_disk_and_is_cast_to_play(packaged, command, here):
    halve(packaged)
    Path("own.yaml").write_text(TAKEN)
    said = command("run", "own.yaml")
    assert said.code == 0
    assert "another stage below" not in said.err
    for name in ("autoencoder", "generator"):
        mine = load_file(f"runs/nano/{name}/weights.safetensors")
        theirs = load_file(packaged / name / "weights.safetensors")
        assert all(mine[it].equal(theirs[it]) for it in theirs)
    assert any(it.dtype == torch.float16 for it in mine.values())
    played = nano.system(text=TAKEN).load()
    assert {it.dtype for it in played.cascade.top.parameters()} == {torch.float32}


def test_music_of_ones_own_is_refused_as_nothing_learns(packaged, command):
    Path("own.yaml").write_text(TAKEN)
    mine = ("--set", "data.use=folder", "--set", "data.path=music")
    said = command("run", "own.yaml", *mine)
    assert said.code == 2
    assert said.err == (
        "--set data.use=folder: data: nothing learns from it: every stage takes given weights as they are; take a recipe that trains on top of them, as mousai-tune does, or from scratch, as mousai-small does\n"
    )
    assert command("validate", "own.yaml", *mine).code == 2
    assert command("validate", "own.yaml", *mine, "--set", "stages.generator.freeze=[]").code == 0


def test_another_model_is_refused_also_where_shapes_are_the_same(packaged, here):
    told = refused("stages.autoencoder.model.domain.exponent=1.0")
    assert told == [
        f"own.yaml:8: stages.autoencoder.weights: piano/autoencoder/weights.safetensors: is of another model: it differs in stages.autoencoder.model.domain.exponent{ANEW}"
    ]
    told = refused("stages.generator.model.unet.channels=[16, 32]")
    assert len(told) == 1
    assert told[0].endswith(ANEW)
    assert (
        "piano/generator/weights.safetensors: fits another model: has another shape for" in told[0]
    )


def test_other_audio_is_refused(packaged, here):
    assert refused("audio.sample_rate=16000")[1] == (
        f"own.yaml:20: stages.generator.weights: piano/generator/weights.safetensors: is of another model: it differs in audio.sample_rate{ANEW}"
    )


def test_a_plan_has_nothing_to_measure(packaged, command):
    Path("own.yaml").write_text(TAKEN)
    said = command("plan", "own.yaml")
    assert said.code == 0, said.err
    assert said.out.splitlines()[2:] == [
        "autoencoder: takes given weights as they are, and learns nothing",
        "generator: takes given weights as they are, and learns nothing",
        "",
        "all stages, one after the other: about 0 s",
    ]


def test_another_sampler_is_no_other_model(packaged, here):
    train_run(nano.system("stages.generator.model.sampler.steps=2", text=TAKEN, path="own.yaml"))


def refused(*overrides):
    with pytest.raises(RecipeError) as error:
        train_run(nano.system(*overrides, text=TAKEN, path="own.yaml"))
    assert not Path("runs/nano/autoencoder").exists()
    return str(error.value).splitlines()
