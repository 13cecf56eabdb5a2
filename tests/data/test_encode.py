"""data encode: a stage's latents before it trains, which training then takes as they are."""

import json
import re
import shutil
from pathlib import Path

import nano
import pytest

from mousai_kit.data.latent_cache import LatentCacheBuilder, verify
from mousai_kit.data.stage_data import StageData
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run

GENERATOR = Path("runs/nano/generator")
CHANGED = (
    "runs/nano/generator/latents-train: the sound of {}/music/good-0.wav is not what is kept: the "
    "music changed since, or how it is read; delete this folder to have all encoded anew\n"
)


@pytest.fixture
def half(trained):
    """Return a run of which the autoencoder is trained."""
    shutil.rmtree(trained / "generator")
    return trained


def latents():
    """Return each file of the latents with when it was changed."""
    return {str(it): it.stat().st_mtime_ns for it in sorted(GENERATOR.glob("latents-*/*/*"))}


def shown(text):
    """Return what a command printed without keys, sizes and times."""
    return re.sub(r"[\d.e-]+ (MB|s)\b", r"? \1", re.sub(r"/[\da-f]{12}\b", "/KEY", text))


def test_what_is_encoded_ahead_is_what_training_takes(half, command, trained_once):
    answer = command("data", "encode", half)
    assert (answer.code, answer.err) == (0, "")
    assert shown(answer.out) == (
        "generator, train: 8 crops of 4 clips, ? MB in runs/nano/generator/latents-train/KEY; "
        "8 encoded now in ? s\n"
        "generator, validation: 4 crops of 2 clips, ? MB in "
        "runs/nano/generator/latents-validation/KEY; 4 encoded now in ? s\n"
    )
    before = latents()
    assert len(before) == 4
    train_run(nano.system())
    assert latents() == before
    expected = checkpoint.read_header(trained_once / "generator/weights.safetensors")["digest"]
    assert checkpoint.read_header(GENERATOR / "weights.safetensors")["digest"] == expected


def test_size_and_count_are_of_the_passes_asked_for_and_others_are_told_apart(half, command):
    passes = "stages.generator.train.passes={}"
    (once, _) = json.loads(command("data", "encode", half, "--json").out)
    assert once["further"] == 0
    command("data", "encode", "nano.yaml", "--set", passes.format(4))
    (fewer, _) = json.loads(command("data", "encode", half, "--json").out)
    assert (fewer["crops"], fewer["gigabytes"]) == (once["crops"], once["gigabytes"])
    kept = sum(it.stat().st_size for it in (GENERATOR / "latents-train").glob("*/*"))
    assert fewer["further"] == pytest.approx(kept / 1e9 - fewer["gigabytes"])
    assert shown(command("data", "encode", half).out).splitlines()[0] == (
        "generator, train: 8 crops of 4 clips, ? MB in runs/nano/generator/latents-train/KEY; "
        "0 encoded now in ? s; ? MB of further passes are kept"
    )


def test_a_second_time_nothing_is_encoded(half, command):
    command("data", "encode", half)
    before = latents()
    answer = command("data", "encode", "nano.yaml", "--out", half, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    counts = {"clips", "left_out", "crops", "made", "gigabytes", "further", "seconds"}
    assert [set(it) for it in found] == 2 * [{"stage", "split", "folder", *counts}]
    facts = [(it["split"], it["clips"], it["left_out"], it["crops"], it["made"]) for it in found]
    assert facts == [("train", 4, 0, 8, 0), ("validation", 2, 0, 4, 0)]
    assert latents() == before


def test_more_passes_encode_only_those(half, command):
    command("data", "encode", half)
    more = ("--set", "stages.generator.train.passes=5", "--json")
    found = json.loads(command("data", "encode", half, *more).out)
    assert [(it["crops"], it["made"]) for it in found] == [(20, 12), (10, 6)]


def test_a_stage_that_is_trained_otherwise_uses_the_same_latents(trained, capfd):
    before = latents()
    train_run(nano.system("stages.generator.train.learning_rate=1e-2"))
    assert latents() == before
    assert not list(Path("runs/nano/generator.old-1").glob("latents-*"))
    assert "encoded anew" not in capfd.readouterr().err


def test_another_autoencoder_encodes_all_anew_and_says_so(trained, capfd):
    train_run(nano.system("stages.autoencoder.train.steps=6"))
    said = capfd.readouterr().err
    for split in ("train", "validation"):
        line = f"latents for generator ({split}): what they are made of changed; all is encoded"
        assert f"{line} anew\n" in said
    assert len(latents()) == 4


def test_music_that_changed_under_its_name_is_one_line_before_training(half, command):
    Path("music").mkdir()
    for number in range(3):
        nano.tone(f"music/good-{number}.wav", hertz=200 + 50 * number)
    changes = ("data={use: folder, path: music}", "stages.autoencoder.train.steps=2")
    train_run(nano.system(*changes, "stages.generator.train.steps=1"))
    nano.tone("music/good-0.wav", hertz=900)
    answer = command("data", "encode", "runs/nano")
    assert (answer.code, answer.out, answer.err) == (
        2,
        "",
        CHANGED.format(Path.cwd()),
    )
    overrides = [word for change in changes for word in ("--set", change)]
    answer = command("run", "nano.yaml", *overrides)
    assert (answer.code, answer.err.splitlines()[-1]) == (2, CHANGED.format(Path.cwd()).rstrip())


def test_a_real_cascade_gives_its_latents_again_exactly(trained):
    system = nano.system().load()
    encoding = StageData.of(system).latents_of(
        "generator", system.folder.provenance(system.recipe, "generator"), "train", system.ranks
    )
    assert verify(encoding, encoding.dataset([])) == 0.0


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--stage", "autoencoder"), "--stage: 'autoencoder' learns from audio, not from latents"),
        (
            ("--stage", "generatr"),
            "--stage: the recipe has no stage 'generatr'; did you mean 'generator'?",
        ),
    ],
)
def test_a_stage_that_learns_from_no_latents_is_one_line(half, command, asked, told):
    answer = command("data", "encode", half, *asked)
    assert (answer.code, answer.out, answer.err) == (2, "", f"{told}\n")


def test_a_recipe_of_one_stage_has_nothing_to_encode(here, command):
    Path("one.yaml").write_text(nano.AUTOENCODER_ONLY)
    answer = command("data", "encode", "one.yaml")
    assert (answer.code, answer.err) == (
        2,
        "the recipe's only stage, 'autoencoder', learns from audio; there is nothing to encode\n",
    )


def test_before_the_stage_below_is_trained_there_is_nothing_to_encode(here, command):
    nano.recipe()
    answer = command("data", "encode", "nano.yaml")
    assert answer.code == 2
    assert answer.err == (
        "runs/nano/autoencoder/weights.safetensors: is missing: the stage is not trained; "
        "`mousai-kit run` trains it\n"
    )
    assert not Path("runs").exists()


def test_weights_of_another_recipe_encode_nothing(half, command):
    answer = command("data", "encode", half, "--set", "stages.autoencoder.train.batch=3")
    assert answer.code == 2
    assert answer.err == (
        "runs/nano/autoencoder/weights.safetensors: was made by another recipe; it differs in "
        "stages.autoencoder.train.batch\n"
    )


def test_music_of_which_none_can_be_decoded_is_one_line(half, command):
    Path("music").mkdir()
    nano.tone("music/a.wav", seconds=2)
    music = "data={use: folder, path: music, validation: 0}"
    train_run(nano.system(music, "stages.generator.train.steps=1"))
    shutil.rmtree(GENERATOR)
    nano.soundfile.write("music/a.wav", [0.0] * 16000, nano.RATE)
    answer = command("data", "encode", "runs/nano")
    silent = "is silent (peak under -80 dB) at each of 16 places; leave it out"
    told = "none of the music can be decoded; see runs/nano/skipped.txt"
    assert (answer.code, answer.err) == (
        2,
        f"skipped: {Path.cwd()}/music/a.wav: {silent}\n{told}\n",
    )


def test_ctrl_c_is_one_line_and_nothing_is_lost(half, command, monkeypatch):
    def interrupted(self, number, crops, tick):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LatentCacheBuilder, "_encode", interrupted)
        answer = command("data", "encode", half)
    assert (answer.code, answer.out, answer.err) == (
        130,
        "",
        "interrupted; what is encoded is kept, and the same command goes on\n",
    )
    assert command("data", "encode", half).code == 0
