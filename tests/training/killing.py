"""A training that is killed, again and again, at instants that a seed draws; run as a program.

Processes are forked off one that has trained, so that nothing is imported twice. Half of the kills
come after a random time, half before or after a random call of what matters on the way.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from random import Random

import nano
import torch

from mousai_kit.core import files
from mousai_kit.models.cascade import Cascade
from mousai_kit.runs import checkpoint
from mousai_kit.training.callbacks.log import JsonlLogger
from mousai_kit.training.checkpointing import Checkpointer
from mousai_kit.training.run import train_run
from mousai_kit.training.train_step import TrainStep

STAGES = ("autoencoder", "generator")
AIMED = {
    "a step": (TrainStep, "update", 5),
    "a line of the log": (JsonlLogger, "_write", 8),
    "encoding": (Cascade, "encode", 2),
    "a copy": (checkpoint, "snapshot", 5),
    "writing": (checkpoint, "write_tensors", 5),
    "reading back": (checkpoint, "_compare", 300),
    "syncing": (os, "fsync", 20),
    "renaming": (Path, "replace", 8),
    "syncing a folder": (files, "sync_folder", 8),
    "pruning": (Path, "unlink", 10),
    "keeping": (Checkpointer, "_write", 2),
}
"""What is called on the way: where it is, and how often at most it goes well."""


def main(kills: int, seed: int) -> None:
    """Print, as JSON, at which instants a process was killed, and where files differ at the end."""
    random = Random(seed)
    _trained("whole")
    took = _attempt("again", None) or 0.0
    expected, instants, wrong, round_ = _left("whole"), [], [], 0
    while len(instants) < kills:
        folder, round_ = f"run-{round_}", round_ + 1
        done = False
        while not done:
            instant = _drawn(random, took) if len(instants) < kills else None
            done = _attempt(folder, instant) is not None
            if not done and instant is not None:
                instants.append(instant[0])
        found = _left(folder)
        wrong += [f"{folder}/{it}" for it in expected if found.get(it) != expected[it]]
        shutil.rmtree(folder)
    print(json.dumps({"kills": len(instants), "rounds": round_, "at": instants, "wrong": wrong}))


def _drawn(random: Random, took: float) -> tuple[str, float, bool]:
    """Return an instant: its kind; its time, or the number of a call; before or after that."""
    if random.random() < 0.5:
        return "a random time", random.uniform(0, took / 2), False
    kind = random.choice(list(AIMED))
    return kind, random.randint(1, AIMED[kind][2]), random.random() < 0.5


def _attempt(folder: str, instant: tuple[str, float, bool] | None) -> float | None:
    """Train, for as long as it takes; return the seconds, or None where the process was killed."""
    started = time.monotonic()
    child = os.fork()
    if not child:
        _train(folder, instant)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    assert os.WEXITSTATUS(status) == 0, folder
    return time.monotonic() - started


def _train(folder: str, instant: tuple[str, float, bool] | None) -> None:
    """Train in a process that ends here, or before."""
    try:
        if instant is not None:
            _aim(*instant)
        _trained(folder)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _trained(folder: str) -> None:
    settings = {"steps": 6, "validate_every": 3}
    changes = [
        f"stages.{it}.train.{key}={value}" for it in STAGES for key, value in settings.items()
    ]
    train_run(nano.system(*changes, folder=folder))


def _aim(kind: str, when: float, before: bool) -> None:
    """See to it that this process is killed at an instant."""
    if kind == "a random time":
        threading.Timer(when, _die).start()
        return
    place, name, _ = AIMED[kind]
    called, count = getattr(place, name), 0

    def counted(*arguments: object, **named: object) -> object:
        nonlocal count
        count += 1
        if count == when and before:
            _die()
        result = called(*arguments, **named)
        if count == when:
            _die()
        return result

    setattr(place, name, counted)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _left(folder: str) -> dict[str, object]:
    """Return all that a training leaves, but for seconds, and checkpoints but the newest."""
    found: dict[str, object] = {}
    for stage in STAGES:
        path = Path(folder) / stage
        newest = checkpoint.list_checkpoints(path / "checkpoints")[0]
        for file in [newest, *path.glob("*.safetensors")]:
            header = {
                key: it for key, it in checkpoint.read_header(file).items() if key != "seconds"
            }
            found[str(file.relative_to(folder))] = header
        found[f"{stage}/log"] = nano.log_of(path / "log.jsonl")
        found[f"{stage}/half written"] = [str(it) for it in path.rglob(".*")]
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*map(int, sys.argv[1:]))
