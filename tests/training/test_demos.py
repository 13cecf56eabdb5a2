"""Demos: heard during training, always of the same, and training is none the wiser."""

from pathlib import Path

import nano
import pytest
import torch

from mousai_kit import audio
from mousai_kit.core.errors import RecipeError
from mousai_kit.data.stage_data import StageData
from mousai_kit.generation.generator import Generator
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.callbacks import check_callbacks, trackers
from mousai_kit.training.callbacks.demos import DemoCallback
from mousai_kit.training.run import train_run
from mousai_kit.training.trainer import Trainer

DEMOS = "runs/nano/autoencoder/demos"


def digests(folder, *stages):
    """Return what stands for all that a stage's training left."""
    files = [RunFolder(Path(folder)).stage(stage) for stage in stages]
    return [
        checkpoint.read_header(it)["digest"]
        for one in files
        for it in (one.weights, one.checkpoint)
    ]


def warnings(stage="autoencoder"):
    lines = nano.log_of(f"runs/nano/{stage}/log.jsonl")
    return [(it["step"], it["warning"]) for it in lines if "warning" in it]


def brought_back(wave):
    """Return what the finished, averaged weights make of audio [c, t]."""
    system = nano.system().load()
    generator = Generator(system.recipe, system.cascade, system.screen, tags={})
    generator.reconstruct(wave, Path("again.flac"), top="autoencoder", seed=0, real="", tags={})
    return audio.read(Path("again.flac"), sample_rate=8000, channels=1)


def test_demos_of_both_stages_are_made_and_training_is_bit_for_bit_the_same(here, trained_once):
    train_run(nano.system("demo.every=3", "demo.seconds=0.25", "generate.prompts=[low saw, b, c]"))
    stages = ("autoencoder", "generator")
    assert digests("runs/nano", *stages) == digests(trained_once, *stages)
    for stage in stages:
        log = nano.log_of(f"runs/nano/{stage}/log.jsonl")
        assert log == nano.log_of(trained_once / stage / "log.jsonl")
    assert nano.names(DEMOS) == ["real", "step-00000003", "step-00000004"]
    (back,) = Path(DEMOS, "step-00000003").glob("*.flac")
    assert nano.names(back.parent) == [back.name, back.with_suffix(".png").name]
    assert nano.names(f"{DEMOS}/real") == nano.names(back.parent)
    heard = [
        audio.read(Path(DEMOS, it, back.name), sample_rate=8000, channels=1)
        for it in ("real", "step-00000003", "step-00000004")
    ]
    assert {it.shape for it in heard} == {(1, 2000)}
    assert not heard[1].equal(heard[2])
    torch.testing.assert_close(heard[2], brought_back(heard[0]), rtol=0, atol=3e-7)  # of 24 bits
    music = Path("runs/nano/generator/demos/step-00000003")
    assert nano.names(music) == ["b-0.flac", "b-0.png", "low-saw-0.flac", "low-saw-0.png"]
    tags = audio.read_tags(music / "low-saw-0.flac")
    assert (tags["prompt"], tags["step"], tags["stage"]) == ("low saw", "3", "generator")


def test_a_demo_that_is_there_is_not_made_again_by_a_run_that_goes_on(here, monkeypatch):
    wanted = ("demo.every=2", "demo.seconds=0.25", "stages.autoencoder.train.checkpoint_every=3")
    learn = Trainer.train_step

    def dying(self, batch):
        if self.step == 2:
            raise ZeroDivisionError
        return learn(self, batch)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(ZeroDivisionError):
        train_run(nano.system(*wanted, text=nano.AUTOENCODER_ONLY))
    monkeypatch.undo()
    monkeypatch.chdir(here)
    (first,) = Path(DEMOS, "step-00000002").glob("*.flac")
    before = first.stat().st_mtime_ns
    train_run(nano.system(*wanted, text=nano.AUTOENCODER_ONLY))
    assert first.stat().st_mtime_ns == before
    assert nano.names(DEMOS) == ["real", "step-00000002", "step-00000004"]


def test_a_demo_that_fails_is_a_warning_and_training_goes_on(here, trained_once):
    Path("runs/nano/autoencoder").mkdir(parents=True)
    Path(DEMOS).touch()
    train_run(nano.system("demo.every=2", text=nano.AUTOENCODER_ONLY))
    assert warnings() == [
        (step, f"a demo failed ([Errno 20] Not a directory: '{DEMOS}/real'); training goes on")
        for step in (2, 4)
    ]
    assert digests("runs/nano", "autoencoder") == digests(trained_once, "autoencoder")


def test_where_nothing_is_held_out_a_clip_that_was_learned_is_brought_back(here):
    Path("music").mkdir()
    nano.tone("music/only.wav", seconds=2.0)
    system = nano.system("data={use: folder, path: music}", "demo.seconds=0.5", "demo.clips=3")
    demos = DemoCallback(
        system.recipe,
        "autoencoder",
        system.cascade,
        folder=here,
        screen=system.screen,
        report=StageData.of(system).report_skipped,
    )
    assert [(Path(it.source).name, it.wave.shape) for it in demos._clips] == [
        ("only.wav", (1, 4000))
    ]


def refused(*overrides):
    system = nano.system(*overrides)
    with pytest.raises(RecipeError) as error:
        check_callbacks(system.recipe, system.cascade)
    return str(error.value)


def test_what_can_not_be_shown_is_told_at_once_and_before_any_training(here, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    told = refused("demo={every: 5, prompts: []}", "track=[tensorboard, wandb]")
    package = "'mousai-kit[tensorboard]'"
    prompts = "list one or more in `demo.prompts`, or in `generate`"
    track, demo = "--set track=[tensorboard, wandb]", "--set demo={every: 5, prompts: []}"
    assert told.splitlines() == [
        f"{track}: track.0: tensorboard is not installed: pip install {package}",
        f"{track}: track.1: wandb is not installed: pip install wandb",
        f"{demo}: demo.every: there is no prompt to play; {prompts}",
    ]


def test_a_missing_tracker_ends_a_run_before_it_trains(command, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    Path("nano.yaml").write_text(nano.RECIPE + "track: [wandb]\n")
    said = command("run", "nano.yaml")
    line = len((nano.RECIPE + "track").splitlines())
    assert (said.code, said.err) == (
        2,
        f"nano.yaml:{line}: track.0: wandb is not installed: pip install wandb\n",
    )
    assert not Path("runs/nano/autoencoder").exists()


def test_an_unknown_tracker_is_refused_with_those_there_are(here):
    with pytest.raises(RecipeError) as error:
        nano.recipe("track=[tensorbord]")
    assert str(error.value) == (
        "--set track=[tensorbord]: track.0: must be 'tensorboard' or 'wandb' (got 'tensorbord')"
    )


def test_what_is_shown_changes_neither_weights_nor_what_is_made(here):
    plain, shown = nano.recipe(), nano.recipe("demo={every: 5, seed: 3}", "track=[tensorboard]")
    assert plain.hash == shown.hash
    assert plain != shown
