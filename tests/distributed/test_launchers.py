"""torchrun and accelerate start a training, and end it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import nano
import pytest
from alike import BOUND, assert_alike, distance
from launched import accelerate, free_port, launched, machines, torchrun

from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder

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


def wait_for(found):
    """Wait until a function finds something."""
    until = time.monotonic() + 60
    while not found() and time.monotonic() < until:
        time.sleep(0.1)
    assert found()


FSDP = [
    *("--use_fsdp", "--fsdp_version", "2"),
    *("--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    *("--fsdp_transformer_layer_cls_to_wrap", "Item,T5Block"),
]


def test_accelerate_starts_a_training_with_fsdp_that_ends_as_with_one_process(here, trained_once):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    process = launched(accelerate(2, *FSDP), "run", "nano.yaml", "--out", "run", *MORE)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("Report:   run/report.md") == 1
    assert "FSDP2" not in err
    assert_alike(trained_once / "autoencoder", Path("run/autoencoder"))


@pytest.mark.parametrize("killed", [1, 0])
def test_one_process_that_is_killed_ends_all_with_one_line(here, killed):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    steps = "--set=stages.autoencoder.train.steps=1000000"
    process = launched(torchrun(2), "run", "nano.yaml", "--out", "run", steps)
    files = RunFolder(Path("run")).stage("autoencoder")
    wait_for(lambda: files.checkpoint)
    os.kill(workers(process, 2)[killed], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    told = [line for line in err.splitlines() if line.startswith("autoencoder: step ")]
    assert process.returncode == 1
    assert len(told) == 1, told
    (line,) = told
    assert line.split(": ", 2)[2] == (
        f"process {killed} (of 0 to 1) ended, and the others with it; the last good checkpoint is "
        f"{files.checkpoint}; `run` goes on from it"
    )


def test_ctrl_c_ends_all_with_a_checkpoint_and_one_line(here):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    steps = "--set=stages.autoencoder.train.steps=1000000"
    arguments = ("run", "nano.yaml", "--out", "run", steps)
    process = launched(torchrun(2), *arguments, start_new_session=True)
    files = RunFolder(Path("run")).stage("autoencoder")
    wait_for(lambda: files.checkpoint)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the launcher and to each process
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    step = checkpoint.read_header(files.checkpoint)["step"]
    told = [line for line in err.splitlines() if line.startswith(("interrupted", "autoencoder:"))]
    assert len(told) == 1, err
    assert told[0] == (
        f"interrupted; run has a checkpoint of 'autoencoder' at step {step} of 1000000; the same "
        "command goes on from it"
    )


CONFIG = """\
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
use_cpu: false
num_machines: 2
num_processes: 2
main_process_ip: localhost
main_process_port: {port}
mixed_precision: 'no'
"""


def test_accelerate_joins_two_machines_by_a_config_file(here, trained_once):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    Path("two.yaml").write_text(CONFIG.format(port=free_port()))
    launch = ["accelerate.commands.launch", "--config_file", "two.yaml", "--machine_rank"]
    both = [launched([*launch, rank], "run", "nano.yaml", "--out", "run", *MORE) for rank in (0, 1)]
    said = [it.communicate(timeout=120) for it in both]
    assert [it.returncode for it in both] == [0, 0], said
    assert said[0][0].count("Report:   run/report.md") == 1
    assert said[1] == ("", "")
    assert_alike(trained_once / "autoencoder", Path("run/autoencoder"))


def test_a_machine_that_is_gone_ends_the_others_with_one_line(here, trained_once):
    """The first one: with it goes the place where processes leave each other notes."""
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    port, files = free_port(), RunFolder(Path("run")).stage("autoencoder")
    more = [
        f"--set=stages.autoencoder.train.{it}" for it in ("steps=1000000", "keep_checkpoints=1000")
    ]
    both = [launched(machines(2, port), "run", "nano.yaml", "--out", "run", *more) for _ in "12"]
    wait_for((files.checkpoints / "step-00000004.safetensors").exists)
    first = next(it for it in both if 0 in workers(it, 1))
    second = next(it for it in both if it is not first)
    for process in (first.pid, workers(first, 1)[0]):
        os.kill(process, signal.SIGKILL)
    first.communicate()
    begun = time.monotonic()
    _, err = second.communicate(timeout=60)
    assert time.monotonic() - begun < 30
    told = [line for line in err.splitlines() if line.startswith(("autoencoder: step ", "[rank"))]
    assert len(told) == 1, told
    (line,) = told
    assert line.split(": ", 2)[2] == (
        "the processes lost each other, or were told to end; the last good checkpoint is "
        f"{files.checkpoint}; `run` goes on from it"
    )
    for name in ("step-00000002", "step-00000004"):
        path = Path("autoencoder/checkpoints") / f"{name}.safetensors"
        one, two = (checkpoint.read_checkpoint(it / path)[0] for it in (trained_once, Path("run")))
        assert distance(one, two) < BOUND
