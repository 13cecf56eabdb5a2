"""System: `run` works like make, and music that can't be used is told, not fatal."""

from pathlib import Path

import nano
import pytest
import torch

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError, MousaiError, RequestError, TrainingError
from mousai_kit.core.plugins import installed_registry
from mousai_kit.data.loader import batches
from mousai_kit.data.stage_data import StageData
from mousai_kit.recipe import recipe_from_yaml
from mousai_kit.recipe.paths import paths_in
from mousai_kit.runs import checkpoint
from mousai_kit.runs.resolve import resolve_run
from mousai_kit.runs.run import Run
from mousai_kit.training.run import train_run
from mousai_kit.training.trainer import Trainer
from mousai_kit_clips.tones import Tones

STAGES = ("autoencoder", "generator")
MUSIC = "data={use: folder, path: music}"


def stamps(folder):
    """Return when each file of a run was last changed."""
    return {str(it): it.stat().st_mtime_ns for it in Path(folder).rglob("*") if it.is_file()}


def digests(folder):
    return [
        checkpoint.read_header(Path(folder) / name / "weights.safetensors")["digest"]
        for name in STAGES
    ]


def music(*, good=3, cut=0, silent=0):
    """Write a folder of music, some of it bad in ways that no header shows."""
    Path("music").mkdir()
    for number in range(good):
        nano.tone(f"music/good-{number}.wav", hertz=200 + 50 * number)
    for number in range(cut):
        nano.cut(nano.tone(f"music/cut-{number}.flac", seconds=4), keep=0.05)
    for number in range(silent):
        nano.soundfile.write(f"music/silent-{number}.wav", torch.zeros(8000).numpy(), nano.RATE)


# like make


def test_music_that_an_earlier_version_knew_by_a_relative_path_is_the_same(here, capfd):
    music()
    system = nano.system(MUSIC)
    text = system.recipe.to_yaml().replace(f"path: {here}/music", "path: music")
    system.recipe = recipe_from_yaml(text, registry=installed_registry())
    assert system.recipe.data.options.path == "music"
    assert paths_in(system.recipe.data) == {"path": f"{here}/music"}
    train_run(system)
    capfd.readouterr()
    train_run(nano.system(MUSIC))
    assert capfd.readouterr().err.count("trained already") == len(STAGES)


def test_a_run_finds_its_music_from_anywhere_and_shows_it(here, capfd, monkeypatch):
    music()
    train_run(nano.system(MUSIC))
    (here / "deep").mkdir()
    monkeypatch.chdir(here / "deep")
    again = resolve_run("../runs/nano", None)
    assert again[0].data.options.path == str(here / "music")
    train_run(Run(*again, Screen()))
    assert capfd.readouterr().err.count(f"data.path: {here}/music\n") == 2


def test_a_second_run_trains_nothing_and_rewrites_nothing(trained, capfd):
    before = stamps(trained)
    train_run(nano.system())
    assert stamps(trained) == before
    assert capfd.readouterr().err.split("\n") == [
        *(f"{it}: trained already ({trained}/{it}/weights.safetensors)" for it in STAGES),
        "",
    ]


def test_a_changed_sampler_reuses_the_weights(trained):
    before = digests(trained)
    train_run(nano.system("stages.autoencoder.model.sampler.steps=9"))
    assert digests(trained) == before
    assert not list(trained.glob("*.old-*"))


def test_a_changed_option_sets_the_old_weights_aside_and_trains_anew(trained, capfd):
    before = digests(trained)
    train_run(nano.system("stages.generator.train.learning_rate=1e-2"))
    after = digests(trained)
    assert (after[0], after[1] != before[1]) == (before[0], True)
    old = checkpoint.read_header(trained / "generator.old-1/weights.safetensors")
    assert old["digest"] == before[1]
    assert capfd.readouterr().err.split("\n")[1] == (
        "generator: the weights here are another recipe's (differs in "
        f"stages.generator.train.learning_rate); they are kept in {trained}/generator.old-1, "
        "and training begins anew; to go on from step 4 instead, stop, give that folder its name "
        "back, and `run` with --go-on"
    )


@pytest.mark.parametrize("change", ["seed=1", "data.tracks=3"])
def test_another_seed_or_other_data_trains_all_anew(trained, change):
    train_run(nano.system(change))
    assert sorted(it.name for it in trained.glob("*.old-*")) == [f"{it}.old-1" for it in STAGES]


def test_more_steps_go_on_and_what_stands_above_begins_anew(trained, capfd):
    before = digests(trained)
    train_run(nano.system("stages.autoencoder.train.steps=6"))
    said = capfd.readouterr().err
    assert "autoencoder: going on from step 4\n" in said
    assert (
        "generator: the weights here are another recipe's (differs in the weights of the stage "
        in said
    )
    steps = [
        line["step"] for line in nano.log_of(trained / "autoencoder/log.jsonl") if "loss" in line
    ]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert all(old != new for old, new in zip(before, digests(trained), strict=True))


def test_fewer_steps_use_what_there_is(trained):
    before = digests(trained)
    train_run(nano.system("stages.autoencoder.train.steps=2"))
    assert digests(trained) == before


def test_another_finish_writes_the_other_weights_and_trains_nothing(trained, capfd):
    before = digests(trained)
    log = (trained / "autoencoder/log.jsonl").read_bytes()
    train_run(nano.system("stages.autoencoder.train.final_weights=best"))
    assert (
        "autoencoder: all steps are done; its weights are written anew\n" in capfd.readouterr().err
    )
    header = checkpoint.read_header(trained / "autoencoder/weights.safetensors")
    best = checkpoint.read_header(trained / "autoencoder/best.safetensors")
    assert (header["finish"], header["step"]) == ("best", 4)
    assert header["digest"] == best["digest"]
    assert header["best"]["step"] == best["step"]
    assert (trained / "autoencoder/log.jsonl").read_bytes() == log
    train_run(nano.system())
    assert digests(trained) == before


def test_the_same_recipe_gives_the_same_weights_in_any_folder(trained):
    train_run(nano.system(folder="elsewhere"))
    assert digests("elsewhere") == digests(trained)


def test_workers_change_nothing(trained):
    workers = [f"stages.{name}.train.workers=1" for name in STAGES]
    train_run(nano.system(*workers, folder="elsewhere"))
    assert digests("elsewhere") == digests(trained)


def test_broken_weights_are_refused_not_replaced(trained):
    nano.cut(trained / "autoencoder/weights.safetensors")
    with pytest.raises(MousaiError) as refused:
        train_run(nano.system())
    said = str(refused.value)
    assert said.startswith(f"{trained}/autoencoder/weights.safetensors: is broken or cut short (")
    assert said.endswith("); delete it and `run` again")


def test_what_is_loaded_is_what_was_trained(trained):
    one, other = nano.system().load(), nano.system().load()
    for name in STAGES:
        states = [it.cascade.stages[name].state_dict() for it in (one, other)]
        assert all(states[0][key].equal(states[1][key]) for key in states[0])
        assert not one.cascade.stages[name].training
        saved = checkpoint.read_checkpoint(trained / name / "weights.safetensors")[0]
        assert all(saved[key].equal(states[0][key]) for key in saved)


def test_an_untrained_system_has_the_trained_ones_statistics_but_fresh_weights(trained):
    system = nano.system().load()
    fresh, made = system.untrained_copy(), system.cascade
    for name, stage in fresh.stages.items():
        first = nano.system().cascade.stages[name]
        assert all(p.equal(q) for p, q in zip(stage.parameters(), first.parameters(), strict=True))
        for key, value in made.stages[name].named_buffers():
            assert dict(stage.named_buffers())[key].equal(value), key


# bad music


def test_bad_music_is_passed_over_and_listed_with_the_reason(here, capfd):
    music(good=3, cut=1, silent=1)
    system = nano.system(MUSIC, "stages.autoencoder.train.steps=8")
    train_run(system)
    listed = Path("runs/nano/skipped.txt").read_text().splitlines()
    assert any(it.startswith(f"{here}/music/cut-0.flac: can't be decoded from ") for it in listed)
    silent = "is silent (peak under -80 dB) at each of 16 places; leave it out"
    assert f"{here}/music/silent-0.wav: {silent}" in listed
    assert len(listed) == len(set(listed))
    said = capfd.readouterr().err
    assert all(f"skipped: {line}\n" in said for line in listed)


def test_where_all_music_is_bad_there_is_one_error(here):
    music(good=0, cut=0, silent=3)
    with pytest.raises(TrainingError) as refused:
        train_run(nano.system(MUSIC))
    assert str(refused.value) == "none of the music can be decoded; see runs/nano/skipped.txt"
    assert len(Path("runs/nano/skipped.txt").read_text().splitlines()) == 3


def test_music_that_is_bad_only_above_the_lowest_stage_is_one_error(trained, monkeypatch):
    system = nano.system("stages.generator.train.length=1024")
    before = Tones.clip

    def clip(self, index, epoch=0):
        if self.length == 1024:
            raise AudioError("bad")
        return before(self, index, epoch)

    monkeypatch.setattr(Tones, "clip", clip)
    with pytest.raises(TrainingError) as refused:
        train_run(system)
    assert str(refused.value) == "none of the music can be decoded; see runs/nano/skipped.txt"


def test_bad_held_out_music_only_leaves_out_validation(here):
    music(good=4)
    system = nano.system(MUSIC, "data.validation=0.25")
    held_out = StageData.of(system).clips("autoencoder", {}, "validation")
    for index in range(len(held_out)):
        name = held_out.clip(index).source
        nano.soundfile.write(name, torch.zeros(8000).numpy(), nano.RATE)
    train_run(system)
    for name in STAGES:
        log = nano.log_of(f"runs/nano/{name}/log.jsonl")
        assert not [line for line in log if "validation" in line]


def test_a_single_piece_of_music_can_be_learned(here):
    music(good=1)
    train_run(nano.system(MUSIC))
    assert digests("runs/nano")


# trouble


def test_a_step_that_does_not_fit_into_memory_is_one_line(here, monkeypatch):
    def hungry(self, batch):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1")

    monkeypatch.setattr(Trainer, "train_step", hungry)
    with pytest.raises(RequestError) as refused:
        train_run(nano.system())
    assert str(refused.value) == (
        "stages.autoencoder.train: a step does not fit into memory; lower `batch` (now 2) or "
        "`length` (now 2048), raise `accumulate` (now 1); `mousai-kit plan` measures what would fit"
    )


def test_no_stage_trains_before_all_are_ready(here, monkeypatch):
    system = nano.system()

    def unready():
        raise MousaiError("no T5 here")

    monkeypatch.setattr(system.cascade.stages["generator"], "download", unready)
    with pytest.raises(MousaiError, match="no T5 here"):
        train_run(system)
    assert nano.names("runs/nano") == []


def test_latents_are_those_of_the_trained_autoencoder(trained):
    system = nano.system().load()
    clips = StageData.of(system).clips(
        "generator", system.folder.provenance(system.recipe, "generator"), "train"
    )
    audio = system.recipe.data.build(sample_rate=8000, channels=1, length=4096, split="train")
    for index in range(len(clips)):
        found, wave = clips.clip(index, 1), audio.clip(index, 1)
        made = system.cascade.encode(wave.wave[None], up_to="generator")[0]
        torch.testing.assert_close(found.wave, made)
        assert (found.text, found.source) == (wave.text, wave.source)


def test_a_stage_learns_from_what_the_one_below_makes(trained):
    system = Run(nano.recipe(), nano.system().folder, nano.Screen()).load()
    clips = StageData.of(system).clips(
        "generator", system.folder.provenance(system.recipe, "generator"), "train"
    )
    (batch,) = batches(clips, seed=0, batch=2, first=0, steps=1, workers=0)
    assert batch.signal.shape == (2, 4, 4096 // 256)
