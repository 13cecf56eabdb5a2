"""A recipe that trains in a second, and what tests do with it."""

from __future__ import annotations

import json
import resource
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from math import pi
from pathlib import Path

import soundfile
import torch

from mousai_kit import cli
from mousai_kit.core.console import Screen
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
RATE = 8000
RECIPE = """\
version: 1
name: nano
device: cpu
audio: {sample_rate: 8000, channels: 1}
data: {use: tones, tracks: 4, held_out: 2}
stages:
  autoencoder:
    model:
      use: diffusion-autoencoder
      domain: {use: mdct, hop: 64}
      encoder: {use: mel, channels: 16, multipliers: [1, 1], factors: [2], blocks: [1], mels: 20,
                n_fft: 256, hop_length: 128, latent_channels: 4}
      unet: {use: unet1d, transform: null, channels: [16, 16], factors: [1, 2], blocks: [1, 1],
             context_injections: [1, 1], modulation_features: 16}
      sampler: {use: ddim, steps: 2}
    train: {steps: 4, batch: 2, length: 2048, workers: 0, validate_every: 2, checkpoint_every: 2}
  generator:
    model:
      use: text-to-latent
      text: {use: t5-scratch, features: 16, layers: 1, heads: 2, feed_forward: 16, vocabulary: 512,
             tokens: 16}
      unet: {use: unet1d, transform: null, channels: [16, 16], factors: [1, 2], blocks: [1, 1],
             cross_attentions: [1, 1], attention_heads: 2, attention_features: 8,
             modulation_features: 16, context_injections: []}
      sampler: {use: ddim, steps: 3}
    train: {steps: 4, batch: 2, length: 4096, workers: 0, passes: 2, validate_every: 2,
            checkpoint_every: 2}
generate: {prompts: [low saw chord], seconds: 0.5, guidance: 2.0}
evaluate: {metrics: [log-mel-distance], clips: 2, seconds: 0.5}
"""
TOLD = RECIPE.replace(
    "      sampler: {use: ddim, steps: 3}\n",
    """      conditioners:
        timing: {use: timing, dropout: 0.5}
        melody: {use: melody}
      sampler: {use: ddim, steps: 3}
""",
).replace("context_injections: []}", "context_at_input: true, context_injections: []}")
"""A system that is told a melody and a place in a track, too."""

AUTOENCODER_ONLY = RECIPE[: RECIPE.index("  generator:")]


def recipe(*overrides, text=RECIPE, path="nano.yaml"):
    assert Path(path).resolve().parent != ROOT, "a test that writes a recipe stands `here`"
    Path(path).write_text(text)
    return load_recipe(path, overrides, registry=installed_registry())


def system(*overrides, text=RECIPE, folder="runs/nano", path="nano.yaml"):
    """Return a system in a folder that exists, not loaded."""
    run = RunFolder(Path(folder))
    run.make()
    return Run(recipe(*overrides, text=text, path=path), run, Screen())


def tone(path, *, seconds=1.0, rate=RATE, channels=1, hertz=440.0, **options):
    """Write a sine; return its file."""
    time = torch.arange(max(1, round(seconds * rate))) / rate
    wave = 0.5 * torch.sin(2 * pi * hertz * time + 1)
    soundfile.write(path, wave[:, None].repeat(1, channels).numpy(), rate, **options)
    return Path(path)


def cut(path, keep=0.5):
    """Leave the first part of a file."""
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: int(len(data) * keep)])


@contextmanager
def full_disk(size):
    """Let no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder="."):
    """Return what lies in a folder."""
    return sorted(it.name for it in Path(folder).iterdir())


def log_of(path):
    """Return the lines of a log, without the time, which no two runs share."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


def call(capfd, *arguments):
    """Run a command as a user would; return its exit code and what it wrote."""
    before, sys.argv = sys.argv, ["mousai-kit", *map(str, arguments)]
    capfd.readouterr()
    try:
        cli.main()
    except SystemExit as ended:
        return Said(ended.code or 0, *capfd.readouterr())
    finally:
        sys.argv = before
    raise AssertionError("a command ends with an exit code")
