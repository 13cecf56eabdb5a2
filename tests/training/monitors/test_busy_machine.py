"""A busy machine: told where another program takes the processor, or all takes too long."""

import multiprocessing
import os
import re
import threading
import time
from itertools import pairwise

import pytest
import torch
from acting import Acted
from watched import Toy, told, warned, watched

from mousai_kit.core import spin_wait
from mousai_kit.training import cpu_share
from mousai_kit.training.cpu_share import CpuUse, Reading
from mousai_kit.training.monitors import Contention, Pace, contention


class Noted(Acted):
    """Notes each warning, and after how many seconds it came."""

    def __init__(self, folder, *observers, **settings):
        self.warnings = []
        super().__init__(folder, *observers, **settings)

    def warn(self, warning):
        self.warnings.append((self.seconds, warning))


class Machine:
    """Two cores, of which a training and others have so many in each second that is acted."""

    def __init__(self):
        self.now = [0.0] * 4

    def passes(self, seconds, *, got, waited, others):
        at, had, lost, busy = self.now
        self.now = [
            at + seconds,
            had + got * seconds,
            lost + waited * seconds,
            busy + (got + others) * seconds,
        ]

    def read(self):
        at, got, waited, busy = self.now
        return Reading(at, got, waited, own=got, busy=busy)


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(cpu_share, "usable_cores", lambda: [0, 1])
    return Machine()


def acted(folder, machine):
    """Return a training that is watched, and a function that lets it take steps on the machine."""
    training = Noted(folder, Contention(machine.read), steps=10_000)
    training.begin()

    def steps(count, seconds, **use):
        for _ in range(count):
            machine.passes(seconds, **use)
            training.steps_of([1.0], seconds=seconds)

    return training, steps


def lines(training):
    return [line for _, line in training.warnings]


ALONE = {"got": 1.9, "waited": 0.02, "others": 0.05}
CROWDED = {"got": 0.7, "waited": 1.3, "others": 1.3}


def test_another_program_that_slows_steps_down_is_told_with_its_figures(tmp_path, machine):
    training, steps = acted(tmp_path, machine)
    steps(80, 0.5, **ALONE)
    assert lines(training) == []
    steps(30, 1.55, **CROWDED)
    (line,) = lines(training)
    assert line == (
        "another program is using the processor: steps take 3.1 times as long as at their best "
        "(1.55 s instead of 0.5 s); this training has 0.7 of the 2.0 cores that it asks for (1.3 "
        "of 2 cores are busy with others); end the other program, or give it a lower priority "
        "(`nice`)"
    )
    assert told(line)


def test_one_that_was_there_from_the_start_is_told_as_well(tmp_path, machine):
    training, steps = acted(tmp_path, machine)
    steps(20, 1.24, **CROWDED)
    (line,) = lines(training)
    assert line == (
        "another program is using the processor: steps may take 2.9 times as long as alone; this "
        "training has 0.7 of the 2.0 cores that it asks for (1.3 of 2 cores are busy with others); "
        "end the other program, or give it a lower priority (`nice`)"
    )
    assert told(line)


def test_it_is_told_once_in_five_minutes_as_long_as_it_lasts(tmp_path, machine):
    training, steps = acted(tmp_path, machine)
    steps(900, 1.0, **CROWDED)
    at = [second for second, _ in training.warnings]
    assert len(at) == 3
    assert all(300 <= later - sooner < 330 for sooner, later in pairwise(at))
    steps(900, 0.4, **ALONE)
    assert len(training.warnings) == 3


@pytest.mark.parametrize(
    "use",
    [
        {"got": 0.9, "waited": 0.05, "others": 1.0},
        {"got": 0.7, "waited": 1.3, "others": 0.1},
        {"got": 1.3, "waited": 0.7, "others": 0.7},
        {"got": 0.1, "waited": 0.02, "others": 1.8},
    ],
    ids=["a training of one core", "its own readers", "a small other program", "one that waits"],
)
def test_what_slows_nothing_down_by_half_is_not_told(tmp_path, machine, use):
    training, steps = acted(tmp_path, machine)
    steps(100, 1.0, **use)
    assert lines(training) == []


def test_long_steps_are_judged_by_three_of_them(tmp_path, machine):
    training, steps = acted(tmp_path, machine)
    steps(2, 60.0, **CROWDED)
    assert lines(training) == []
    steps(1, 60.0, **CROWDED)
    assert len(lines(training)) == 1


def test_where_nobody_tells_of_waiting_torchs_threads_count(monkeypatch):
    monkeypatch.setattr(cpu_share, "usable_cores", lambda: list(range(8)))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    before, after = Reading(0, 0, None, 0, 0), Reading(10, 15, None, 20, 70)
    assert CpuUse.between(before, after) == CpuUse(cores=8, got=1.5, asked=4.0, others=5.0)


def spin(core, until):
    os.sched_setaffinity(0, {core})
    while time.monotonic() < until:
        pass


@pytest.mark.skipif(not spin_wait.THREADS.is_dir(), reason="only Linux tells of waiting threads")
def test_real_programs_on_the_same_core_are_told_of(here, monkeypatch):
    class Busy(Toy):
        def loss(self, signal, prompts, **told):
            until = time.process_time() + 0.05
            while time.process_time() < until:
                pass
            return super().loss(signal, prompts, **told)

    monkeypatch.setattr(contention, "SECONDS", 1.0)
    before = os.sched_getaffinity(0)
    core = min(before)
    others = [
        multiprocessing.get_context("fork").Process(target=spin, args=(core, time.monotonic() + 60))
        for _ in range(4)
    ]
    try:
        os.sched_setaffinity(0, {core})
        for other in others:
            other.start()
        monkeypatch.setattr(cpu_share, "_own", time.process_time)  # its children are no part of it
        ((_, line),) = warned(watched("a", Busy(), by=[Contention()], steps=12))
    finally:
        os.sched_setaffinity(0, before)
        for other in others:
            other.kill()
            other.join()
    figures = re.findall(r"\d+\.\d", line)
    assert line.startswith("another program is using the processor: steps may take ")
    assert float(figures[0]) > 2


def test_threads_are_looked_after_while_a_stage_is_trained(here):
    seen = []

    class Noticing(Toy):
        def loss(self, signal, prompts, **told):
            seen.append("contention" in {it.name for it in threading.enumerate()})
            return super().loss(signal, prompts, **told)

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        watched("a", Noticing(), by=[], steps=2).run()
    finally:
        torch.set_num_threads(threads)
    assert seen
    assert all(seen)
    assert "contention" not in {it.name for it in threading.enumerate()}


# how long it takes


def paced(folder, **settings):
    training = Noted(folder, Pace(), **settings)
    training.begin()
    return training


def test_steps_that_will_take_far_longer_than_expected_are_told(tmp_path):
    training = paced(tmp_path, steps=2400, expected_minutes=6.5)
    training.steps_of([1.0] * 64, seconds=0.495)
    ((seconds, line),) = training.warnings
    assert 30 <= seconds <= 31
    assert line == (
        "all 2400 steps will take about 19.8 minutes, 3.0 times the 6.5 that are expected: "
        "2.02 steps/s come, 6.15 were expected; they are all taken, unless you lower `steps`, "
        "and a training that was ended goes on"
    )
    assert told(line)


def test_it_is_told_again_when_the_steps_have_doubled_and_all_are_taken(tmp_path):
    training = paced(tmp_path, steps=400, expected_minutes=1)
    training.steps_of([1.0] * 400, seconds=1.0)
    assert [round(second) for second, _ in training.warnings] == [7, 14, 28, 56, 112, 224]
    assert training.is_finished


@pytest.mark.parametrize("minutes", [None, 5.0])
def test_steps_in_time_or_without_an_expectation_are_not_told(tmp_path, minutes):
    training = paced(tmp_path, steps=400, expected_minutes=minutes)
    training.steps_of([1.0] * 400, seconds=1.0 if minutes is None else 1.1)
    assert training.warnings == []


def test_what_is_compiled_in_the_first_step_does_not_count_as_speed(tmp_path):
    training = paced(tmp_path, steps=400, expected_minutes=5)
    training.steps_of([1.0], seconds=90.0)
    training.steps_of([1.0] * 100, seconds=0.5)
    assert training.warnings == []


def test_minutes_that_end_a_training_are_longer_than_it_takes(tmp_path):
    training = paced(tmp_path, steps=4000, expected_minutes=5, minutes=7)
    training.steps_of([1.0] * 100, seconds=1.0)
    assert training.warnings == []
