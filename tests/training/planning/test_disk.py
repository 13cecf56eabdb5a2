"""Room: a disk that is too small for a run is told before its first step, and only then."""

import shutil
from collections import namedtuple
from pathlib import Path

import nano
import pytest

from mousai_kit.core.errors import RequestError
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.planning.disk import check_training_space
from mousai_kit.training.run import train_run

Usage = namedtuple("Usage", "total used free")
RUN = RunFolder(Path("runs/nano"))
ADVICE = "free some, lower `keep_checkpoints` or `passes`, or name another folder for the run"


@pytest.fixture
def free(monkeypatch):
    """Return a function that says how many bytes are free."""
    return lambda count: monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, count))


def needed(free, *overrides, **options):
    """Return how many bytes a run asks for."""
    low, high = 0, 2**40
    while low < high:
        middle = (low + high) // 2
        free(middle)
        try:
            check_training_space(nano.recipe(*overrides, **options), RUN)
        except RequestError:
            low = middle + 1
        else:
            high = middle
    return low


def test_a_disk_too_small_for_all_stages_is_one_line_before_any_is_trained(here, free, command):
    Path("nano.yaml").write_text(nano.RECIPE)
    free(10**6)
    answer = command("run", "nano.yaml")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "runs/nano: training 'autoencoder' and 'generator' (checkpoints, weights, latents) would "
        f"take about 0.0 GiB on the disk and 0.0 GiB are free; {ADVICE}\n"
    )
    assert not [*Path("runs/nano").glob("[!.]*")]


def test_what_is_asked_for_is_about_what_a_run_leaves(here, free):
    asked = needed(free)
    free(asked)
    train_run(nano.system())
    left = sum(it.stat().st_size for it in RUN.path.rglob("*.safetensors"))
    assert left < asked < 2 * left


def test_a_stage_that_is_trained_or_taken_as_it_is_needs_little(trained, free):
    assert needed(free) == 0
    shutil.rmtree(trained / "generator")
    upper = needed(free)
    assert 0 < upper < needed(free, "seed=1")
    shutil.copytree(trained / "autoencoder", "given")
    taken = "stages.autoencoder={weights: given, freeze: ['*']}"
    shutil.rmtree(trained / "autoencoder")
    weights = Path("given/weights.safetensors").stat().st_size
    assert needed(free, taken) - upper == pytest.approx(weights, rel=0.15)


def test_more_to_keep_and_more_passes_need_more(here, free):
    least = needed(free)
    one, two = (
        needed(free, f"stages.generator.train.keep_checkpoints={it}") - least for it in (3, 4)
    )
    assert (one > 0, two) == (True, 2 * one)
    crops = 4 * 4 * 16 * 4  # clips, channels, frames, bytes
    assert needed(free, "stages.generator.train.passes=5") - least == 3 * crops


def test_music_that_is_not_there_is_no_matter_of_the_disk(here, free):
    free(2**40)
    check_training_space(nano.recipe("data={use: folder, path: missing}"), RUN)
