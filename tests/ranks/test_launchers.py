"""torchrun and accelerate start a training, and end it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import nano
import pytest
from launched import accelerate, launched, torchrun
from test_training import BOUND, distance

from mousai_kit import checkpoints
from mousai_kit.runs import RunFolder

MORE = ["--set=evaluate.clips=1"]


def workers(launcher, count):
    """Return the processes that a launcher started, by rank."""
    told = subprocess.run(["pgrep", "-P", str(launcher.pid)], capture_output=True, check=False)
    found = {}
    for child in map(int, told.stdout.split()):
        environment = Path(f"/proc/{child}/environ").read_bytes().decode().split("\0")
        rank = next((it for it in environment if it.startswith("RANK=")), "")
        if rank:
            found[int(rank.removeprefix("RANK="))] = child
    assert len(found) == count
    return found


FSDP = [
    *("--use_fsdp", "--fsdp_version", "2"),
    *("--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    *("--fsdp_transformer_layer_cls_to_wrap", "Item,T5Block"),
]


def test_accelerate_starts_a_training_with_fsdp_that_ends_as_with_one_process(here, trained_once):
    nano.recipe()
    process = launched(accelerate(2, *FSDP), "run", "nano.yaml", "--out", "run", *MORE)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("Report:   run/report.md") == 1
    for stage in ("autoencoder", "generator"):
        for file in ("weights", "checkpoints/step-00000004"):
            path = Path(stage) / f"{file}.safetensors"
            one, two = (checkpoints.read(it / path)[0] for it in (trained_once, Path("run")))
            assert {k: it.shape for k, it in one.items()} == {k: it.shape for k, it in two.items()}
            assert distance(one, two) < BOUND, path


@pytest.mark.parametrize("killed", [1, 0])
def test_one_process_that_is_killed_ends_all_with_one_line(here, killed):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    steps = "--set=stages.autoencoder.train.steps=1000000"
    process = launched(torchrun(2), "run", "nano.yaml", "--out", "run", steps)
    files, until = RunFolder(Path("run")).stage("autoencoder"), time.monotonic() + 60
    while files.checkpoint is None and time.monotonic() < until:
        time.sleep(0.1)
    os.kill(workers(process, 2)[killed], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    told = [line for line in err.splitlines() if line.startswith("autoencoder: step ")]
    assert process.returncode == 1
    (line,) = told
    assert line.split(": ", 2)[2] == (
        f"process {killed} (of 0 to 1) ended, and the others with it; the last good checkpoint is "
        f"{files.checkpoint}; `run` goes on from it"
    )
