"""Spin-wait: threads sleep where they wait while others have the cores, and only then."""

import multiprocessing
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mousai_kit.core import spin_wait
from mousai_kit.core.spin_wait import IdleTeam, Watch, sleep_if_contended, teams_needed

pytestmark = pytest.mark.skipif(
    not spin_wait.THREADS.is_dir(), reason="only Linux tells of waiting threads"
)


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@contextmanager
def a_watch():
    watch = Watch()
    try:
        yield watch
    finally:
        watch.end()


def threads_there():
    return len(list(Path("/proc/self/task").iterdir()))


def names():
    return [it.name for it in threading.enumerate() if it.name in {"contention", "idle"}]


def soon(holds, *, seconds=20.0):
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def test_an_idle_team_is_as_many_threads_as_compute_and_goes_with_its_end():
    torch.ones(2**17).sum()  # this thread's own team
    before = threads_there()
    team = IdleTeam()
    assert threads_there() == before + 2
    team.end()
    assert soon(lambda: threads_there() == before)


@pytest.mark.parametrize(
    ("threads", "cores", "teams"),
    [(1, 4, 0), (2, 1, 1), (2, 2, 1), (4, 4, 1), (4, 8, 2), (2, 64, 0)],
)
def test_idle_teams_make_more_threads_than_cores_unless_most_cores_are_free(
    threads, cores, teams, monkeypatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(spin_wait, "usable_cores", lambda: list(range(cores)))
    assert teams_needed() == teams
    assert not teams or threads + teams * (threads - 1) > cores


def test_idle_teams_stay_until_nobody_has_waited_for_a_while(monkeypatch):
    monkeypatch.setattr(spin_wait, "BEAT", 60.0)
    monkeypatch.setattr(spin_wait, "usable_cores", lambda: [0, 1])
    with a_watch() as watch:
        watch.judge(0.1)
        assert not watch.teams
        watch.judge(0.5)
        (team,) = watch.teams
        for waiting in [0.0] * 19 + [0.1] + [0.0] * 19:
            watch.judge(waiting)
            assert watch.teams == [team]
        watch.judge(0.0)
        assert not watch.teams
    assert names() == []


def spin(core):
    os.sched_setaffinity(0, {core})
    while True:
        pass


def test_programs_on_the_same_core_are_noticed():
    before, core = os.sched_getaffinity(0), min(os.sched_getaffinity(0))
    others = [multiprocessing.get_context("fork").Process(target=spin, args=(core,)) for _ in "abc"]
    try:
        os.sched_setaffinity(0, {core})
        for other in others:
            other.start()
        with a_watch() as watch:
            work = torch.ones(2**17)

            def noticed():
                for _ in range(200):
                    work.sum()
                return bool(watch.teams)

            assert soon(noticed)
    finally:
        os.sched_setaffinity(0, before)
        for other in others:
            other.kill()
            other.join()
    assert names() == []


def test_contexts_within_each_other_share_one_watch_which_ends_with_the_last():
    with sleep_if_contended():
        with sleep_if_contended():
            assert names() == ["contention"]
        assert names() == ["contention"]
    assert names() == []


def test_a_process_with_one_thread_needs_no_watch():
    torch.set_num_threads(1)
    with sleep_if_contended():
        assert names() == []
