"""Watching: it cries wolf over nothing, repeats itself seldom, changes nothing, and remembers."""

import json
import math
import signal
from pathlib import Path

import nano
import pytest
from test_listening import Deaf
from watched import PAGE, Toy, Words, warnings, watched

from mousai_kit.core.console import Screen
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import load_recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.callbacks.base import Callback
from mousai_kit.training.monitors import (
    base,
    contention,
    data,
    default_monitors,
    loss,
    optimizer,
    output,
    pace,
)
from mousai_kit.training.monitors import output as listening
from mousai_kit.training.run import train_run


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """A machine of its own, which these tests may not have."""
    monkeypatch.setattr(contention, "SECONDS", math.inf)


def contents(folder):
    """Return all that a training leaves, without the time."""
    found = {}
    for path in (
        checkpoint.list_checkpoints(Path(folder) / "c")[0],
        Path(folder) / "w.safetensors",
    ):
        tensors, header = checkpoint.read_checkpoint(path)
        found[path.stem] = {key: value.tolist() for key, value in tensors.items()}
        found[f"{path.stem}'s header"] = {k: v for k, v in header.items() if k != "seconds"}
    return found | {"log": nano.log_of(Path(folder) / "log.jsonl")}


class Interrupting(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, training, taken):
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
    recipe = load_recipe("mousai-tiny", overrides, registry=installed_registry())
    folder = RunFolder(Path("run"))
    folder.make()
    train_run(Run(recipe, folder, Screen(quiet=True)))
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
        train_run(work)
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


def test_what_watchers_remember_is_json_under_a_name_of_its_own():
    kept = default_monitors(fresh=True)
    assert len({it.name for it in kept}) == len(kept) == 11
    assert all(it.name not in ("", "watcher") for it in kept)
    for it in kept:
        assert json.loads(json.dumps(it.state())) == it.state()


def test_what_a_watcher_remembers_comes_back_and_what_a_checkpoint_lacks_begins_anew():
    losses = {"first": [3.0] * 50, "last": [2.0] * 50}
    best = {"step": 8, "losses": [1.0, 2.0], "learned": 1.5}
    states = {
        "moving": {"small": 1},
        "falling": losses,
        "clipping": {"norms": [1.0] * 200},
        "listening": {"times": 2},
        "overfitting": {"best": best, "worse": 2, "total": 4.5, "count": 3},
        "output": {"times": 2},
    }
    for it in default_monitors(fresh=True):
        new, state = it.state(), {"said": {"it": 4}} | states.get(it.name, {})
        it.load(state)
        assert it.state() == state
        it.load({})
        assert it.state() == new
    falling = loss.LossTrendMonitor()
    falling.load(losses)
    falling.last.append(1.0)
    assert falling.state() == {"first": losses["first"], "last": [2.0] * 49 + [1.0]}


def test_a_thing_is_told_again_when_the_steps_have_doubled(here):
    training = watched("a", Toy(), by=[])
    told = base.Monitor()
    for step in (0, 1, 3, 4, 5, 6, 7, 8):
        training.state.step = step
        told.warn_once(training, "it", f"it is wrong, {step}")
        if step == 5:
            told.warn_once(training, "else", "something else")
    assert warnings("a/log.jsonl") == [
        (0, "it is wrong, 0"),
        (3, "it is wrong, 3"),
        (5, "something else"),
        (6, "it is wrong, 6"),
    ]


def test_given_weights_are_not_asked_for_a_loss_that_falls():
    names = {it.name for it in default_monitors(fresh=True)}
    assert names - {it.name for it in default_monitors(fresh=False)} == {"falling"}


THRESHOLDS = {
    "third validation": base.EXAMINATIONS == 3,
    "a fifth of the training is over (20,000 steps at most)": (base.SHARE, base.STEPS)
    == (0.2, 20_000),
    "16 of those that are learned from": base.UNHELD == 16,
    "5 % of 64 tracks": (data.SHARE, data.AT_MOST) == (0.05, 64),
    "more than 5 % of 64 are empty": (data.SHARE, data.AT_MOST) == (0.05, 64),
    "two standard errors nor": listening.ERRORS == 2,
    "is below 0.01 % of the loss": listening.LEAST == 1e-4,
    "quieter by 30 dB or more, louder by 20 dB": (output.QUIET, output.LOUD) == (-30, 20),
    "a tenth more samples": output.CLIPPED == 0.1,
    "two clips are made": output.CLIPS == 2,
    "Every 50 steps a sample of the weights (256": (optimizer.EVERY, optimizer.SAMPLE) == (50, 256),
    "less than 1 % of their size": optimizer.WHOLE == 0.01,
    "more than 10 %, the rate": optimizer.STEP == 0.1,
    "the last 50 steps' mean": loss.WINDOW == 50,
    "the first 50 by two standard errors": loss.ERRORS == 2,
    "after 200 steps": loss.FEWEST == 200,
    "95 % of the last 200": (optimizer.SHARE, optimizer.WINDOW) == (0.95, 200),
    "Three validations in a row": loss.IN_A_ROW == 3,
    "three standard errors": loss.OVERFITTING_ERRORS == 3,
    "compared one by one) and 1 %": loss.OVERFITTING_SHARE == 0.01,
    "less than half of the cores": contention.STRETCH == 2,
    "20 seconds and three steps": (contention.SECONDS, contention.STEPS) == (20, 3),
    "a quarter of a core": contention.OTHERS == 0.25,
    "once in five minutes": contention.EVERY == 300,
    "more than 1.5 times as many minutes": pace.LONGER == 1.5,
    "after 30 seconds of steps, or a tenth": (pace.SECONDS, pace.SHARE) == (30, 0.1),
    "30 % of a minute": (data.WAITING_SHARE, data.SECONDS) == (0.3, 60),
}


@pytest.mark.parametrize("words", THRESHOLDS)
def test_the_documents_tell_the_thresholds(words):
    assert THRESHOLDS[words]
    assert words in " ".join(PAGE.split())
