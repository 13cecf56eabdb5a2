"""The script that fills the table of a GPU's speed: it runs, and says what it could not measure."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_speed.py"


def ran(*arguments):
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_row_is_a_time_a_factor_and_memory_and_the_machine_stands_below():
    code, out, _ = ran("--small", "--device", "cpu", "--rows", "ours", "--minutes", "2")
    head, line, row, empty, machine = out.splitlines()
    assert code == 0
    assert head.startswith("| 43.7 s of stereo at 48 kHz | time |")
    assert line.count("---") == 4
    title, seconds, factor, memory = row.strip("| ").split(" | ")
    assert title == "ours, fp32, 50 + 50 steps"
    assert float(factor) == round(float(factor), 4)
    assert 0 < float(seconds.removesuffix(" s")) < 60
    assert 0 < float(memory.removesuffix(" GiB")) < 8
    assert empty == ""
    assert machine.endswith("tiny networks")


def test_a_row_that_does_not_fit_into_the_time_says_so():
    code, out, _ = ran("--small", "--device", "cpu", "--rows", "ours", "--minutes", "0.001")
    assert code == 0
    assert "| ours, fp32, 50 + 50 steps | not done in 1 s | |  |" in out


def test_the_papers_size_takes_a_gpu():
    code, _, told = ran("--device", "cpu")
    assert code == 2
    assert told.endswith(
        "error: the paper's size takes a GPU (torch finds none); --small shows it works\n"
    )
