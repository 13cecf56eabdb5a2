"""Harmless: what fails in an observer is a warning, and training goes on."""

import json

import pytest
from acting import Acted

from mousai_kit.training.files import remembered
from mousai_kit.training.observing import Observer
from mousai_kit.training.showing.harmless import Harmless


class Clumsy(Observer):
    """Fails whenever it hears of a step, but for those it is told to bear."""

    name = "clumsy"

    def __init__(self, *good):
        self.good, self.heard = good, []

    def stepped(self, training, taken):
        self.heard.append(training.step)
        if training.step not in self.good:
            raise OSError(28, "No space left on device")

    def state(self):
        return {"heard": self.heard}

    def load(self, state):
        self.heard = state["heard"]


class Loud(Observer):
    """Fails at all that it can hear."""

    warned = validated = saved = demonstrated = ended = stepped = lambda *_: 1 / 0


class Absent(Loud):
    """Fails at once."""

    def begun(self, training):
        raise MemoryError


def warnings(folder):
    lines = [json.loads(it) for it in (folder / "log.jsonl").read_text().splitlines()]
    return [(it["step"], it["warning"]) for it in lines if "warning" in it]


def test_each_failure_is_a_warning_and_the_third_the_last(tmp_path):
    clumsy = Clumsy(2)
    training = Acted(tmp_path, Harmless(clumsy, "the tracker"))
    training.begin()
    training.steps_of([1.0] * 6)
    training.end()
    told = "the tracker failed ([Errno 28] No space left on device); training goes on"
    assert warnings(tmp_path) == [(1, told), (3, told), (4, f"{told} without it")]
    assert clumsy.heard == [1, 2, 3, 4]


def test_a_failure_at_hearing_of_a_failure_ends_too(tmp_path):
    training = Acted(tmp_path, Harmless(Loud(), "it"))
    training.begin()
    training.steps_of([1.0])
    training.validated(right=1.0)
    training.end()
    told = "it failed (division by zero); training goes on"
    assert sorted(warnings(tmp_path)) == [(1, told), (1, told), (1, f"{told} without it")]


def test_who_can_not_begin_is_told_nothing_more(tmp_path):
    training = Acted(tmp_path, Harmless(Absent(), "it"))
    training.begin()
    training.steps_of([1.0])
    training.end()
    assert warnings(tmp_path) == [(0, "it failed (MemoryError); training goes on without it")]


def test_ctrl_c_is_no_failure(tmp_path):
    class Interrupted(Observer):
        def stepped(self, training, taken):
            raise KeyboardInterrupt

    training = Acted(tmp_path, Harmless(Interrupted(), "it"))
    training.begin()
    with pytest.raises(KeyboardInterrupt):
        training.steps_of([1.0])


def test_what_it_remembers_is_kept(tmp_path):
    clumsy = Clumsy(1, 2)
    training = Acted(tmp_path, Harmless(clumsy, "it"))
    training.begin()
    training.steps_of([1.0] * 2)
    assert remembered(training)["observers"]["clumsy"] == {"heard": [1, 2]}
    other = Clumsy()
    Harmless(other, "it").load({"heard": [7]})
    assert other.heard == [7]
