"""Failures: what fails in a callback with a task is a warning, and training goes on."""

import json

import pytest
from acting import Acted

from mousai_kit.training.callbacks.base import Callback


class Clumsy(Callback):
    """Fails whenever it hears of a step, but for those it is told to bear."""

    name, task = "clumsy", "the tracker"

    def __init__(self, *good):
        self.good, self.heard = good, []

    def on_step_end(self, training, taken):
        self.heard.append(training.step)
        if training.step not in self.good:
            raise OSError(28, "No space left on device")

    def state(self):
        return {"heard": self.heard}

    def load(self, state):
        self.heard = state["heard"]


class Loud(Callback):
    """Fails at all that it can hear."""

    task = "it"
    on_warning = on_validation_end = on_checkpoint = on_demo = on_train_end = on_step_end = (
        lambda *_: 1 / 0
    )


class Absent(Loud):
    """Fails at once."""

    def on_train_start(self, training):
        raise MemoryError


def warnings(folder):
    lines = [json.loads(it) for it in (folder / "log.jsonl").read_text().splitlines()]
    return [(it["step"], it["warning"]) for it in lines if "warning" in it]


def test_each_failure_is_a_warning_and_the_third_the_last(tmp_path):
    clumsy = Clumsy(2)
    training = Acted(tmp_path, clumsy)
    training.begin()
    training.steps_of([1.0] * 6)
    training.end()
    told = "the tracker failed ([Errno 28] No space left on device); training goes on"
    assert warnings(tmp_path) == [(1, told), (3, told), (4, f"{told} without it")]
    assert clumsy.heard == [1, 2, 3, 4]


def test_a_failure_at_hearing_of_a_failure_ends_too(tmp_path):
    training = Acted(tmp_path, Loud())
    training.begin()
    training.steps_of([1.0])
    training.validated(right=1.0)
    training.end()
    told = "it failed (division by zero); training goes on"
    assert sorted(warnings(tmp_path)) == [(1, told), (1, told), (1, f"{told} without it")]


def test_who_can_not_begin_is_told_nothing_more(tmp_path):
    training = Acted(tmp_path, Absent())
    training.begin()
    training.steps_of([1.0])
    training.end()
    assert warnings(tmp_path) == [(0, "it failed (MemoryError); training goes on without it")]


def test_ctrl_c_is_no_failure(tmp_path):
    class Interrupted(Callback):
        task = "it"

        def on_step_end(self, training, taken):
            raise KeyboardInterrupt

    training = Acted(tmp_path, Interrupted())
    training.begin()
    with pytest.raises(KeyboardInterrupt):
        training.steps_of([1.0])


def test_what_is_no_task_ends_a_training_where_it_fails(tmp_path):
    clumsy = Clumsy()
    clumsy.task = ""
    training = Acted(tmp_path, clumsy)
    training.begin()
    with pytest.raises(OSError, match="No space left"):
        training.steps_of([1.0])
    assert warnings(tmp_path) == []


def test_what_it_remembers_is_kept(tmp_path):
    clumsy = Clumsy(1, 2)
    training = Acted(tmp_path, clumsy)
    training.begin()
    training.steps_of([1.0] * 2)
    assert training.state.values()["observers"]["clumsy"] == {"heard": [1, 2]}
