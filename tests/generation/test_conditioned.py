"""Conditions of clips: the same on the command line, in Python and in recipes."""

from pathlib import Path

import nano
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit import audio

PROMPTS = "{prompts: [low saw chord]"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture
def run(here):
    """Return a run folder of a trained system that is told a melody and a place in a track."""
    Path("nano.yaml").write_text(nano.TOLD)
    recipe = mk.load_recipe("nano.yaml")
    mk.train(recipe, "runs/told")
    tune = torch.sin(2 * torch.pi * 440 * torch.arange(nano.RATE) / nano.RATE)
    audio.write(Path("hum.wav"), 0.5 * tune[None], sample_rate=nano.RATE, tags={})
    return "runs/told"


@pytest.fixture
def generate(command):
    """Return a function that generates a clip by the command, with further words."""

    def made(run, *words):
        return command("generate", run, "low saw chord", "--seconds", 0.2, "--out", "out", *words)

    return made


def sound(path):
    return audio.read(Path(path), sample_rate=nano.RATE, channels=1)


def alike(one, other):
    """Tell whether two clips differ by less than a ten-thousandth of their peak.

    A barely trained system makes sound as soft as the rounding of a file of 24 bits allows.
    """
    return bool((one - other).abs().max() < 1e-4 * other.abs().max())


def test_the_command_line_python_and_a_recipe_make_the_same_clip(run, generate, command):
    found = generate(run, "--condition", "melody=hum.wav", "--condition", "timing=0,180")
    (path,) = found.out.split()
    tags = mk.read_tags(path)
    assert tags["condition.timing"] == "0,180"
    assert tags["condition.melody"].startswith("hum.wav ")
    cascade = mk.load(run, quiet=True)
    told = {"melody": "hum.wav", "timing": [0, 180]}
    music = cascade.generate("low saw chord", seconds=0.2, conditions=told)
    free = cascade.generate("low saw chord", seconds=0.2)
    assert not alike(music.audio, free.audio)
    assert music.tags["condition.melody"] == tags["condition.melody"]
    assert alike(sound(path), music.audio)
    asked = "{prompts: [{prompt: low saw chord, conditions: {melody: hum.wav, timing: [0, 180]}}]"
    Path("nano.yaml").write_text(nano.TOLD.replace(PROMPTS, asked))
    assert command("run", "nano.yaml", "--set", "generate.seconds=0.2", "--out", run).code == 0
    (made,) = Path(run, "audio").glob("*.flac")
    assert alike(sound(made), music.audio)


def test_a_file_that_changed_is_another_condition(run, generate):
    def made():
        return generate(run, "--condition", "melody=hum.wav").out.split()

    first = made()
    assert made() == first
    tune = torch.sin(2 * torch.pi * 660 * torch.arange(nano.RATE) / nano.RATE)
    audio.write(Path("hum.wav"), 0.5 * tune[None], sample_rate=nano.RATE, tags={})
    assert made() != first
    assert Path(*first).is_file()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("melodi=hum.wav", "--condition melodi: this system has no such condition; did you mean"),
        ("melody", "--condition melody: must be a name and a value, as in melody=hum.wav"),
        ("melody=", "must be a name and a value"),
        ("melody=none.wav", "none.wav: does not exist"),
        ("melody=nano.yaml", "nano.yaml: "),
        ("timing=9,5", "--condition timing"),
        ("timing=a", "--condition timing"),
        ("timing=1,2,3", "--condition timing"),
    ],
)
def test_a_wrong_condition_is_one_line(run, given, told, generate):
    found = generate(run, "--condition", given)
    assert found.code == 2
    assert told in found.err.strip().splitlines()[-1]
    assert not list(Path("out").glob("*.flac"))


def test_a_recipe_is_told_the_place_of_a_wrong_condition(here, command):
    asked = "{prompts: [{prompt: low saw chord, conditions: {timing: [9, 5]}}]"
    Path("nano.yaml").write_text(nano.TOLD.replace(PROMPTS, asked))
    found = command("validate", "nano.yaml")
    assert found.code == 2
    assert "generate.prompts.0.conditions.timing" in found.err


def test_a_system_without_conditioners_says_so(trained, generate):
    found = generate(trained, "--condition", "melody=hum.wav")
    assert found.code == 2
    assert "this system takes no conditions" in found.err
