"""Several processes at work together: forked from this one, or started by a launcher."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch

from mousai_kit import cli
from mousai_kit.ranks import joined

ROOT = Path(__file__).parents[2]
SLOW = """accelerate torch._dynamo torch.distributed.fsdp transformers.models.t5.modeling_t5
matplotlib.figure matplotlib.backends.backend_agg mousai_kit.report mousai_kit.system
mousai_kit.ranks.together"""
"""What takes long to import: once, for all that are forked."""


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


def forked(count, *arguments, before=None, **environment):
    """Run a command in so many processes that work together; return how each ended.

    They are forked from this one, which has imported all that takes long. `before(rank)` is called
    in each.
    """
    for name in SLOW.split():
        import_module(name)
    port = free_port()
    children = [
        _fork(
            {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "localhost"}
            | {"MASTER_PORT": port, **environment},
            arguments,
            before,
        )
        for rank in range(count)
    ]
    codes = [os.waitstatus_to_exitcode(os.waitpid(it, 0)[1]) for it in children]
    return [
        Ended(code, *(Path(f"{rank}.{it}").read_text() for it in ("out", "err")))
        for rank, code in enumerate(codes)
    ]


def _fork(environment, arguments, before):
    if child := os.fork():
        return child
    code = 70
    try:
        os.environ |= {name: str(value) for name, value in environment.items()}
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{environment['RANK']}.{name}", os.O_CREAT | os.O_WRONLY), stream)
        for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
        torch.set_num_threads(1)
        joined.cache_clear()  # the parent is alone
        if before is not None:
            before(environment["RANK"])
        code = _command(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(arguments):
    sys.argv = ["mousai-kit", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as ended:
        if joined.cache_info().currsize:
            joined("cpu").leave()
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


def accelerate(count, *options):
    launch = "accelerate.commands.launch"
    return [launch, *options, "--num_processes", count, "--main_process_port", free_port()]
