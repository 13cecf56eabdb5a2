"""Watching: it cries wolf over nothing, repeats itself seldom, changes nothing, and remembers."""

import json
import signal
from pathlib import Path

import nano
import pytest
from test_listening import Deaf
from watched import PAGE, Toy, Words, warnings, watched

from mousai_kit import checkpoints
from mousai_kit.console import Screen
from mousai_kit.plugins import installed
from mousai_kit.recipe import load_recipe
from mousai_kit.runs import RunFolder
from mousai_kit.system import System
from mousai_kit.training.observing import Observer
from mousai_kit.training.showing.harmless import Harmless
from mousai_kit.training.watching import (
    clipping,
    falling,
    listening,
    moving,
    music,
    output,
    overfitting,
    waiting,
    watcher,
    watchers,
)


def contents(folder):
    """Return all that a training leaves, without the time."""
    found = {}
    for path in (checkpoints.kept(Path(folder) / "c")[0], Path(folder) / "w.safetensors"):
        tensors, header = checkpoints.read(path)
        found[path.stem] = {key: value.tolist() for key, value in tensors.items()}
        found[f"{path.stem}'s header"] = {k: v for k, v in header.items() if k != "seconds"}
    return found | {"log": nano.log_of(Path(folder) / "log.jsonl")}


class Interrupting(Observer):
    def __init__(self, step):
        self.step = step

    def stepped(self, training, taken):
        if training.step == self.step:
            signal.raise_signal(signal.SIGINT)


STAGES = ("autoencoder", "generator")
SETTINGS = {"steps": 240, "learning_rate": 1e-9, "clip_norm": 1e-3, "checkpoint_every": 10**6}


def ill(folder):
    """Return a training in which a lot goes wrong."""
    held_out = Words(4, seed=1, level=50)
    return watched(folder, Deaf(), clips=Words(3), held_out=held_out, **SETTINGS)


def test_healthy_stages_are_warned_of_nothing(here):
    overrides = [f"stages.{it}.train.validate_every=20" for it in STAGES]
    recipe = load_recipe("mousai-tiny", overrides, registry=installed())
    folder = RunFolder(Path("run"))
    folder.make()
    System(recipe, folder, Screen(quiet=True)).train()
    for stage in STAGES:
        log = nano.log_of(folder.stage(stage).log)
        assert [line for line in log if "warning" in line] == []
        right, other = (log[-1]["validation"][it] for it in ("right", "other"))
        assert right < 0.995 * other


def test_a_run_that_is_not_watched_is_warned_of_nothing(here):
    off = ["stages.autoencoder.train.watch=false", "stages.autoencoder.train.batch=32"]
    for number, overrides in enumerate((off[1:], off)):
        folder = f"runs/{number}"
        Path(folder).mkdir(parents=True)
        work = nano.system(*overrides, text=nano.AUTOENCODER_ONLY, folder=folder)
        work.train()
        assert len(warnings(work.folder.stage("autoencoder").log)) == 1 - number


def test_what_is_watched_learns_the_same_bit_for_bit(here):
    ill("watched").run()
    assert len(warnings("watched/log.jsonl")) > 5
    alone = watched(
        "alone", Deaf(), clips=Words(3), held_out=Words(4, seed=1, level=50), by=[], **SETTINGS
    )
    alone.run()
    for name, value in contents("alone").items():
        assert name == "log" or "header" in name or contents("watched")[name] == value


@pytest.mark.parametrize("step", [1, 49, 105, 235])
def test_a_training_that_goes_on_warns_as_one_that_never_stopped(here, step):
    ill("whole").run()
    first = ill("parts")
    first.observers.append(Interrupting(step))
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = ill("parts")
    second.restore()
    second.run()
    assert contents("parts") == contents("whole")


def test_what_is_watched_is_remembered_through_what_makes_it_harmless():
    kept = [Harmless(it, "watching") for it in watchers(fresh=True)]
    assert len({it.name for it in kept}) == len(kept) == 9
    assert all(it.name not in ("", "watcher") for it in kept)
    for it in kept:
        assert json.loads(json.dumps(it.state())) == it.state()


def test_a_thing_is_told_again_when_the_steps_have_doubled(here):
    training = watched("a", Toy(), by=[])
    told = watcher.Watcher()
    for step in (0, 1, 3, 4, 5, 6, 7, 8):
        training.step = step
        told.tell(training, "it", f"it is wrong, {step}")
        if step == 5:
            told.tell(training, "else", "something else")
    assert warnings("a/log.jsonl") == [
        (0, "it is wrong, 0"),
        (3, "it is wrong, 3"),
        (5, "something else"),
        (6, "it is wrong, 6"),
    ]


def test_given_weights_are_not_asked_for_a_loss_that_falls():
    names = {it.name for it in watchers(fresh=True)}
    assert names - {it.name for it in watchers(fresh=False)} == {"falling"}


THRESHOLDS = {
    "third validation": watcher.EXAMINATIONS == 3,
    "a fifth of the training is over (20,000 steps at most)": (watcher.SHARE, watcher.STEPS)
    == (0.2, 20_000),
    "16 of those that are learned from": watcher.UNHELD == 16,
    "5 % of 64 tracks": (music.SHARE, music.AT_MOST) == (0.05, 64),
    "more than 5 % of 64 are empty": (music.SHARE, music.AT_MOST) == (0.05, 64),
    "two standard errors nor": listening.ERRORS == 2,
    "is below 0.01 % of the loss": listening.LEAST == 1e-4,
    "quieter by 30 dB or more, louder by 20 dB": (output.QUIET, output.LOUD) == (-30, 20),
    "a tenth more samples": output.CLIPPED == 0.1,
    "two clips are made": output.CLIPS == 2,
    "Every 50 steps a sample of the weights (256": (moving.EVERY, moving.SAMPLE) == (50, 256),
    "less than 1 % of their size": moving.WHOLE == 0.01,
    "more than 10 %, the rate": moving.STEP == 0.1,
    "the last 50 steps' mean": falling.WINDOW == 50,
    "the first 50 by two standard errors": falling.ERRORS == 2,
    "after 200 steps": falling.FEWEST == 200,
    "95 % of the last 200": (clipping.SHARE, clipping.WINDOW) == (0.95, 200),
    "Three validations in a row": overfitting.IN_A_ROW == 3,
    "three standard errors": overfitting.ERRORS == 3,
    "compared one by one) and 1 %": overfitting.SHARE == 0.01,
    "30 % of a minute": (waiting.SHARE, waiting.SECONDS) == (0.3, 60),
}


@pytest.mark.parametrize("words", THRESHOLDS)
def test_the_documents_tell_the_thresholds(words):
    assert THRESHOLDS[words]
    assert words in " ".join(PAGE.split())
