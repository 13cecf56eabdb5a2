"""Run folders: one run at a time, whole files, and what differs is named."""

import os
import subprocess
import sys
import time
from pathlib import Path

import nano
import pytest
import yaml

from mousai_kit.core.errors import RunError, WeightsError, some
from mousai_kit.core.plugins import installed_registry
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder, StageDirectory

HOLDING = """
import sys, time
from pathlib import Path
from mousai_kit.runs.run_folder import RunFolder
with RunFolder(Path("run")).lock():
    print("locked", flush=True)
    time.sleep(60)
"""


def refusal(path):
    with pytest.raises(RunError) as refused, RunFolder(Path(path)).lock():
        pass
    return str(refused.value)


def test_the_default_folder_has_the_recipes_name(here):
    assert RunFolder.default(nano.recipe()).path == Path("runs/nano")


@pytest.mark.parametrize(
    ("name", "starter"),
    [("SLURM_STEP_NUM_TASKS", "srun"), ("OMPI_COMM_WORLD_SIZE", "mpirun"), ("PMI_SIZE", "mpirun")],
)
def test_processes_that_were_started_without_a_launcher_are_told_of_one(
    here, monkeypatch, name, starter
):
    monkeypatch.setenv(name, "2")
    with RunFolder(Path("run")).lock():
        assert refusal("run") == (
            f"run: is in use by another run (process {os.getpid()}): `{starter}` started this "
            "command 2 times; for one training let it start torchrun, which starts this (see "
            "docs/cluster.md), for several give each a folder of its own"
        )
        monkeypatch.setenv(name, "1")
        assert refusal("run").endswith("wait for it or name another folder for the run")


def test_a_folder_that_another_run_uses_is_refused_until_that_one_is_gone(here):
    with subprocess.Popen([sys.executable, "-c", HOLDING], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        assert refusal("run") == (
            f"run: is in use by another run (process {other.pid}); wait for it or name another "
            "folder for the run"
        )
        other.kill()
        other.wait()
        with RunFolder(Path("run")).lock():
            assert Path("run/.lock").read_text() == f"{os.getpid()}\n"


def test_a_folder_can_be_used_again_after_use(here):
    for _ in range(2):
        with RunFolder(Path("run")).lock():
            pass


def test_a_file_in_the_folders_place(here):
    Path("run").write_text("")
    assert refusal("run") == "run: is a file; name a folder for the run"


def test_a_place_below_a_file(here):
    Path("file").write_text("")
    assert refusal("file/run") == (
        "file/run: can't be written (Not a directory); name another folder for the run"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_can_not_be_written(here):
    assert refusal("/proc/self") == (
        "/proc/self: can't be written (No such file or directory); name another folder for the run"
    )


def test_a_file_that_says_so_already_is_left_alone(here):
    folder = RunFolder(Path("run"))
    path = folder.write("a/b.txt", "text")
    os.utime(path, (1, 1))
    folder.write("a/b.txt", "text")
    assert path.stat().st_mtime == 1
    folder.write("a/b.txt", "other")
    assert path.stat().st_mtime > time.time() - 60
    assert path.read_text() == "other"


def test_what_is_set_aside_is_numbered(here):
    names = []
    for _ in range(3):
        stage = StageDirectory(Path("stage"))
        stage.path.mkdir()
        names.append(str(stage.set_aside()))
    assert names == ["stage.old-1", "stage.old-2", "stage.old-3"]


def test_the_newest_file_of_a_stage_is_its_weights(here):
    stage = StageDirectory(Path())
    assert stage.latest_weights() is None
    stage.checkpoints.mkdir()
    for name in ("checkpoint", "checkpoints/step-00000009", "checkpoints/step-00000010"):
        path = Path(f"{name}.safetensors")
        checkpoint.write_checkpoint(path, {}, {})
        assert stage.latest_weights() == stage.checkpoint == path
    path.write_text("")
    assert stage.checkpoint == path
    assert stage.latest_weights() == Path("checkpoints/step-00000009.safetensors")
    stage.weights.write_text("")
    assert stage.latest_weights() == stage.weights


def test_every_stage_that_is_not_trained_is_named(here):
    with pytest.raises(WeightsError) as refused:
        RunFolder(Path("run")).check_trained(nano.recipe())
    assert str(refused.value).split("\n") == [
        f"run/{name}/weights.safetensors: is missing: the stage is not trained; "
        "`mousai-kit run` trains it"
        for name in ("autoencoder", "generator")
    ]


def test_the_weights_header_carries_the_recipe_and_the_weights_below(trained):
    folder, recipe = RunFolder(trained), nano.recipe()
    lower, upper = (
        checkpoint.read_header(folder.stage(name).weights) for name in ("autoencoder", "generator")
    )
    assert upper["recipe"] == recipe.to_yaml() == folder.recipe.read_text()
    assert (upper["stage"], upper["step"]) == ("generator", 4)
    assert (lower["below"], upper["below"]) == ([], [lower["digest"]])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("seed=1", "seed"),
        ("data.tracks=3", "data.tracks"),
        ("audio.sample_rate=16000", "audio.sample_rate"),
        (
            "stages.autoencoder.model.unet.channels=[16,32]",
            "stages.autoencoder.model.unet.channels.1",
        ),
        ("stages.autoencoder.train.learning_rate=1", "stages.autoencoder.train.learning_rate"),
        ("stages.autoencoder.model.schedule=shifted-cosine", "stages.autoencoder.model.schedule"),
    ],
)
def test_another_recipes_weights_are_refused_by_the_options_that_differ(trained, change, told):
    with pytest.raises(WeightsError) as refused:
        RunFolder(trained).load(nano.recipe(change), "autoencoder")
    said = str(refused.value)
    assert said.startswith(
        f"{trained}/autoencoder/weights.safetensors: was made by another recipe; "
        f"it differs in {told}"
    )
    assert "\n" not in said


@pytest.mark.parametrize(
    "change",
    [
        "stages.autoencoder.model.sampler.steps=7",
        "stages.generator.model.sampler={use: dpmpp-2m, steps: 2}",
        "stages.autoencoder.train.workers=3",
        "stages.generator.train.steps=99",
        "generate.seconds=3",
        "evaluate.clips=1",
        "device=auto",
        "name=other",
    ],
)
def test_what_does_not_change_weights_keeps_them(trained, change):
    for name in ("autoencoder", "generator"):
        assert RunFolder(trained).load(nano.recipe(change), name)


@pytest.fixture
def earlier(trained):
    """Rewrite the autoencoder's file as an earlier version would have written it."""

    def write(change):
        path = RunFolder(trained).stage("autoencoder").weights
        tensors, header = checkpoint.read_checkpoint(path)
        values = yaml.safe_load(header["recipe"])
        change(values["stages"]["autoencoder"]["model"])
        header["recipe"] = yaml.safe_dump(values, sort_keys=False)
        change(header["key"]["stages"]["autoencoder"]["model"])
        del header["digest"], header["version"], header["format"]
        checkpoint.write_checkpoint(path, tensors, header)
        return RunFolder(trained)

    return write


def test_an_option_that_has_come_since_leaves_weights_as_they_are(earlier):
    run = earlier(lambda model: model["unet"].pop("head"))
    assert run.load(nano.recipe(), "autoencoder")


def test_an_option_that_has_another_name_since_leaves_weights_as_they_are(earlier, monkeypatch):
    options = installed_registry().find("unet", "unet1d").Options
    monkeypatch.setattr(options, "former_names", {"widths": "channels"})
    run = earlier(lambda model: model["unet"].update(widths=model["unet"].pop("channels")))
    assert run.load(nano.recipe(), "autoencoder")
    with pytest.raises(WeightsError, match=r"it differs in stages.autoencoder.model.unet.channels"):
        run.load(nano.recipe("stages.autoencoder.model.unet.channels=[16,32]"), "autoencoder")


def test_an_option_that_is_gone_is_a_difference(earlier):
    run = earlier(lambda model: model["unet"].update(gone=1))
    with pytest.raises(WeightsError, match=r"it differs in stages.autoencoder.model.unet.gone$"):
        run.load(nano.recipe(), "autoencoder")


def test_a_generator_on_another_autoencoder_is_refused(trained):
    stage = RunFolder(trained).stage("autoencoder")
    tensors, header = checkpoint.read_checkpoint(stage.weights)
    changed = {name: it + 1 for name, it in tensors.items()}
    kept = {key: header[key] for key in ("key", "below", "step", "seconds")}
    checkpoint.write_checkpoint(stage.weights, changed, kept)
    with pytest.raises(WeightsError) as refused:
        RunFolder(trained).load(nano.recipe(), "generator")
    assert str(refused.value) == (
        f"{trained}/generator/weights.safetensors: was made by another recipe; it differs in "
        "the weights of the stage below"
    )


def test_many_differences_are_cut_to_four():
    assert some(list("abcd")) == "a, b, c, d"
    assert some(list("abcdef")) == "a, b, c, d and 2 more"
