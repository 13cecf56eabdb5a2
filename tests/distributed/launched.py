"""Several processes at work together: forked from this one, or started by a launcher."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch

from mousai_kit import cli
from mousai_kit.core.console import Screen
from mousai_kit.core.plugins import installed_registry
from mousai_kit.distributed import init_distributed
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.run import train_run

ROOT = Path(__file__).parents[2]
SLOW = """accelerate torch._dynamo torch.distributed.fsdp transformers.models.t5.modeling_t5
matplotlib.figure matplotlib.backends.backend_agg mousai_kit.evaluation.report mousai_kit.runs.run
mousai_kit.distributed.process_group"""
"""What takes long to import: once, for all that are forked."""

PATIENCE = 120
"""Seconds that a process may take."""


@dataclass
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    out: str
    err: str


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": 2,
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "Item,T5Block",
}
"""What `accelerate launch --use_fsdp` tells the processes that it starts."""


def forked(count, *arguments, before=lambda rank: None, **environment):
    """Run a command in so many processes that work together; return how each ended.

    `before(rank)` is called in each.
    """

    def work(rank):
        before(rank)
        return _command(arguments)

    return together(count, work, **environment)


def train(folder, *overrides, recipe="nano.yaml"):
    """Train a recipe, and make nothing with it; for `together`."""
    run = RunFolder(Path(folder))
    run.make()
    train_run(Run(load_recipe(recipe, overrides, registry=installed_registry()), run, Screen()))
    return 0


def together(count, work, **environment):
    """Call `work(rank)` in so many processes that work together; return how each ended.

    They are forked from this one, which has imported all that takes long. What is returned is a
    process's exit code.
    """
    installed_registry()
    for name in SLOW.split():
        import_module(name)
    port = free_port()
    children = [
        _fork(
            {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "localhost"}
            | {"MASTER_PORT": port, **environment},
            work,
        )
        for rank in range(count)
    ]
    codes = [os.waitstatus_to_exitcode(os.waitpid(it, 0)[1]) for it in children]
    return [
        Ended(code, *(Path(f"{rank}.{it}").read_text() for it in ("out", "err")))
        for rank, code in enumerate(codes)
    ]


def _fork(environment, work):
    if child := os.fork():
        return child
    code = 70
    signal.alarm(PATIENCE)  # which ends a process that waits for one that does something else
    try:
        os.environ |= {name: str(value) for name, value in environment.items()}
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(
                os.open(f"{environment['RANK']}.{name}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
                stream,
            )
        for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
        torch.set_num_threads(1)
        init_distributed.cache_clear()  # the parent is alone
        code = work(environment["RANK"])
        if init_distributed.cache_info().currsize:
            init_distributed("cpu").leave()
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(arguments):
    sys.argv = ["mousai-kit", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code or 0


def launched(launcher, *arguments, **options):
    """Start a command by a launcher's own (`torchrun ...`); return the process."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, launcher), "-m", "mousai_kit", *map(str, arguments)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
            "OMP_NUM_THREADS": "1",
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def torchrun(count):
    return ["torch.distributed.run", "--nproc-per-node", count, "--master-port", free_port()]


def machines(count, port):
    """Return torchrun's arguments on one of several machines, with a process each."""
    meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "x"]
    return ["torch.distributed.run", "--nnodes", count, "--nproc-per-node", 1, *meet]


def accelerate(count, *options):
    launch = "accelerate.commands.launch"
    return [launch, *options, "--num_processes", count, "--main_process_port", free_port()]
