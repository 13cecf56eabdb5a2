"""Survival: killed at any instant and run again, a training ends as if nothing had been."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mousai_kit.runs.run_folder import RunFolder

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent / "helpers"), "OMP_NUM_THREADS": "1"}


def test_fifty_kills_at_random_instants_change_nothing(here):
    done = subprocess.run(
        [sys.executable, HERE / "killing.py", "50", "1"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["kills"], found["wrong"]) == (50, [])
    assert len(set(found["at"])) >= 8


TRAINING = """
from mousai_kit.training.run import train_run
import sys, nano
changes = [f"stages.{it}.train.{to}" for it in ("autoencoder", "generator") for to in sys.argv[1:]]
from mousai_kit.runs.run_folder import RunFolder
system = nano.system(*changes)
with system.folder.lock():
    train_run(system)
"""


def begun(*changes):
    """Start a training of many steps in a process of its own; return it when it has logged."""
    log = Path("runs/nano/autoencoder/log.jsonl")
    command = [sys.executable, "-c", TRAINING, "steps=100000", "checkpoint_every=50", *changes]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while not (log.exists() and log.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    return process


def children(process):
    """Return a process's children."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(it) for it in found.split()]


def alive(pid):
    """Whether a process is there, and no mere entry of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_folder_of_a_killed_training_is_free_at_once_and_its_readers_end_soon(here):
    process = begun("workers=2")
    readers = children(process)
    assert len(readers) >= 2
    process.kill()
    process.wait()
    with RunFolder(Path("runs/nano")).lock():
        pass
    deadline = time.monotonic() + 30
    while any(map(alive, readers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, readers))
    process.stderr.close()
