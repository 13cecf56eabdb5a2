"""A run is never silent for three seconds, however slow its files are."""

import io
import sys
import time
from itertools import pairwise
from pathlib import Path

import nano
import pytest

from mousai_kit.core import console
from mousai_kit.core.console import Screen
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.run import train_run
from mousai_kit_clips.tones import Tones

LIMIT = 3.0
"""Seconds without a word that are too many."""
CLIP = 0.06
"""Seconds that a clip takes: those of each phase take longer than the limit, all together."""


class Timed(io.StringIO):
    """A stream that notes when it was written to."""

    def __init__(self):
        super().__init__()
        self.times = [time.monotonic()]

    def write(self, text):
        self.times.append(time.monotonic())
        return super().write(text)

    def gaps(self):
        """Return how long each silence lasted."""
        return [later - sooner for sooner, later in pairwise([*self.times, time.monotonic()])]


def run(monkeypatch, stream, *overrides, opening=0.0):
    """Train an autoencoder on many slow clips, of music that is slow to open."""
    monkeypatch.setattr(sys, "stderr", stream)
    recipe = nano.recipe(
        "data={use: tones, tracks: 60, held_out: 20}", *overrides, text=nano.AUTOENCODER_ONLY
    )
    clip, begin = Tones.clip, Tones.__init__

    def slowly(dataset, index, epoch=0):
        time.sleep(CLIP)
        return clip(dataset, index, epoch)

    def opened(dataset, options, **build_kwargs):
        time.sleep(opening if build_kwargs["split"] == "train" else 0)
        begin(dataset, options, **build_kwargs)

    monkeypatch.setattr(Tones, "clip", slowly)
    monkeypatch.setattr(Tones, "__init__", opened)
    folder = RunFolder(Path("runs/nano"))
    folder.make()
    stream.times = [time.monotonic()]
    train_run(Run(recipe, folder, Screen()))


@pytest.fixture
def stream(monkeypatch):
    monkeypatch.setattr(console, "WORD_AFTER", 2.0)
    monkeypatch.setenv("COLUMNS", "100")
    return Timed()


@pytest.mark.parametrize("terminal", [True, False])
def test_whatever_lasts_is_told_of_within_three_seconds(here, stream, monkeypatch, terminal):
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    else:
        monkeypatch.setattr(console, "QUIET_EVERY", 1.0)  # or a line of each phase would do
    run(monkeypatch, stream, "stages.autoencoder.train.steps=2", opening=3.5)
    assert max(stream.gaps()) < LIMIT, stream.gaps()
    phases = [
        "opening the music",
        "preparing autoencoder (statistics, vocabulary)",
        "validating",
        "autoencoder: trained, 2 steps in",
        *(["reading held-out clips", "looking at the music"] if terminal else []),
    ]
    said = stream.getvalue()
    assert [phase for phase in phases if phase not in said] == []


def test_a_bar_goes_on_with_each_clip(here, stream, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(console, "REDRAWN_EVERY", 0.0)
    monkeypatch.setattr(console, "SELDOM", 0.0)
    monkeypatch.setattr("test_never_silent.CLIP", 0.01)
    run(
        monkeypatch,
        stream,
        *(f"stages.autoencoder.train.{it}" for it in ("steps=1", "watch=false")),
    )
    said = stream.getvalue().replace(" ", "")
    wanted = [f"{done}/{total}" for total in (20, 60) for done in range(1, total + 1)]
    assert [told for told in wanted if told not in said] == []


@pytest.mark.parametrize(
    "arguments", [("show", "ddim"), ("generate", "gone"), ("validate", "gone")]
)
def test_a_command_says_that_it_starts_before_it_imports(command, monkeypatch, arguments):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "starting" in command(*arguments).err
