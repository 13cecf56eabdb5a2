"""Several processes learn what one learns, from the same clips, and write what one writes."""

import json
import os
from pathlib import Path

import nano
import pytest
from alike import BOUND, distance
from launched import FSDP, forked, together, train

from mousai_kit.data import loader
from mousai_kit.runs import checkpoint
from mousai_kit.training.train_step import TrainStep

pytestmark = pytest.mark.xdist_group("training of ranks")  # `runs` takes long
STAGES = ("autoencoder", "generator")
SET = [f"--set=stages.{stage}.train.batch=4" for stage in STAGES]


def run(count, folder, *more, before=None):
    return forked(count, "run", "nano.yaml", "--out", folder, *SET, *more, before=before)


def remembered(rank):
    """Write down which clips each step of a process learns from."""
    gradients = TrainStep.gradients

    def noted(self, batch, step):
        with Path(f"{rank}.clips").open("a") as file:
            clips = [*zip(batch.texts, batch.sources, strict=True)]
            file.write(json.dumps([step, clips]) + "\n")
        return gradients(self, batch, step)

    TrainStep.gradients = noted


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of the same recipe by 1, 2 and 4 processes, with what they said; by their number."""
    before, folder = Path.cwd(), tmp_path_factory.mktemp("ranks")
    found = {}
    try:
        for count in (1, 2, 4):
            here = folder / str(count)
            here.mkdir()
            os.chdir(here)
            nano.recipe()
            found[count] = (here, run(count, "run", before=remembered))
    finally:
        os.chdir(before)
    return found


def weights(folder, stage, file="weights"):
    return checkpoint.read_checkpoint(Path(folder) / "run" / stage / f"{file}.safetensors")[0]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("file", ["weights", "checkpoints/step-00000004"])
def test_several_processes_learn_the_weights_and_moments_that_one_learns(runs, count, stage, file):
    one, other = (weights(runs[it][0], stage, file) for it in (1, count))
    assert distance(one, other) < BOUND


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("stage", STAGES)
def test_the_log_tells_the_losses_of_the_whole_batch(runs, count, stage):
    one, other = (nano.log_of(runs[it][0] / "run" / stage / "log.jsonl") for it in (1, count))
    assert [line.keys() for line in one] == [line.keys() for line in other]
    for before, after in zip(one, other, strict=True):
        assert after == pytest.approx(before, rel=1e-5) if "loss" in before else True


@pytest.mark.parametrize("count", [2, 4])
def test_each_clip_of_a_batch_is_learned_by_one_process_alone(runs, count):
    def told(folder, rank):
        lines = (folder / f"{rank}.clips").read_text().splitlines()
        return [tuple(json.loads(line)) for line in lines]

    whole = told(runs[1][0], 0)
    parts = [told(runs[count][0], rank) for rank in range(count)]
    joined = [
        (each[0][0], [clip for _, clips in each for clip in clips])
        for each in zip(*parts, strict=True)
    ]
    assert joined == whole


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_first_process_alone_writes_and_talks(runs, count):
    folder, ended = runs[count]
    assert [it.code for it in ended] == [0] * count
    assert "Report:   run/report.md" in ended[0].out
    assert [it.out for it in ended[1:]] == [""] * (count - 1)
    assert nano.names(folder / "run") == nano.names(runs[1][0] / "run")


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1)])
def test_a_training_goes_on_with_another_number_of_processes(here, runs, first, then):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    batch = "stages.autoencoder.train.batch=4"
    for count, steps in ((first, 2), (then, 4)):
        more = (batch, f"stages.autoencoder.train.steps={steps}")
        ended = together(count, lambda rank, more=more: train("run", *more))
        assert [it.code for it in ended] == [0] * count
    assert "autoencoder: going on from step 2" in ended[0].err
    assert distance(weights(runs[1][0], "autoencoder"), weights(".", "autoencoder")) < BOUND


def test_a_batch_that_processes_can_not_share_is_told_once(here):
    nano.recipe()
    ended = forked(3, "run", "nano.yaml", "--out", "run")
    assert [it.code for it in ended] == [2, 2, 2]
    said = "".join(it.err for it in ended)
    told = "is shared by 3 processes: must be a multiple of 3 (got 2)"
    assert said.splitlines() == [
        f"nano.yaml:{line}: stages.{stage}.train.batch: {told}"
        for stage, line in zip(STAGES, (16, 26), strict=True)
    ]


def test_what_does_not_go_with_fsdp_is_told_once(here):
    nano.recipe()
    half = "--set=stages.generator.train.precision=fp16"
    ended = forked(2, "run", "nano.yaml", "--out", "run", half, **FSDP)
    assert [(it.code, it.out) for it in ended] == [(2, ""), (2, "")]
    assert "".join(it.err for it in ended) == (
        f"{half.replace('=', ' ', 1)}: stages.generator.train.precision: fp16 does not go with "
        "FSDP, where each process has a part of the weights; use bf16, or launch without "
        "--use_fsdp\n"
    )


def test_a_recipe_that_is_wrong_is_told_once(here):
    Path("nano.yaml").write_text(nano.RECIPE.replace("steps: 4", "stepz: 4", 1))
    ended = forked(2, "run", "nano.yaml")
    assert [it.code for it in ended] == [2, 2]
    said = "".join(it.err for it in ended)
    assert said == (
        "nano.yaml:16: stages.autoencoder.train.stepz: unknown option; did you mean 'steps'?\n"
    )


def test_what_stops_one_process_stops_all_and_is_told_once(here):
    nano.recipe()

    def spoil(rank):
        if rank == 1:
            loader._ShuffledClips.__getitem__ = lambda self, position: (None, ["gone.wav: is gone"])

    ended = run(2, "run", before=spoil)
    assert [it.code for it in ended] == [2, 2]
    assert "".join(it.err for it in ended if "no readable" in it.err).splitlines()[-1] == (
        "no readable music in 1 clips in a row; the last: gone.wav: is gone"
    )
    assert "ended, and the others" not in ended[0].err + ended[1].err
