"""Clips that come too slowly: told, and no other."""

import os
import re
import time

import pytest
from watched import Toy, Words, warned, watched

from mousai_kit.training.monitors import DataWaitMonitor, data
from mousai_kit.training.validation import DataWaitTimer


class Slow(Words):
    def clip(self, index, epoch=0):
        time.sleep(0.01)
        return super().clip(index, epoch)


class Thoughtful(Toy):
    def loss(self, signal, prompts, **told):
        time.sleep(0.02)
        return super().loss(signal, prompts, **told)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(data, "SECONDS", 0.3)


def test_clips_that_are_slower_than_steps_are_told(here):
    ((step, line),) = warned(watched("a", clips=Slow(), by=[DataWaitMonitor()], steps=10))
    share = re.match(r"\d+", line)[0]
    assert 30 < int(share) <= 100
    assert step <= 10
    assert line == (
        f"{share}% of the time goes by waiting for clips; raise `workers` (now 0; there are "
        f"{os.cpu_count()} cores), or have files that are read faster, such as FLAC on a disk of "
        "this machine"
    )


def test_clips_that_are_faster_are_not_told(here):
    assert warned(watched("a", Thoughtful(), by=[DataWaitMonitor()], steps=20)) == []


def test_what_is_waited_is_counted_from_the_second_on():
    waits = DataWaitTimer()
    for _ in range(3):
        with waits.wait():
            time.sleep(0.05)
        time.sleep(0.02)
    assert 0.1 <= waits.seconds < 0.15
