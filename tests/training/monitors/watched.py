"""Trainings that are watched: small ones with real steps, and what was warned of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from reader import DOCS
from torch import nn

from mousai_kit.core.interfaces import Clip, SignalSpace, Stage
from mousai_kit.recipe import Train
from mousai_kit.training.checkpointing import TrainingPaths
from mousai_kit.training.monitors import default_monitors
from mousai_kit.training.trainer import Trainer

LENGTH = 32
PAGE = (DOCS / "warnings.md").read_text(encoding="utf-8")


class Toy(Stage):
    """Learns to guess clips of `LENGTH` samples from a text of one word, told as a number."""

    name = "toy"

    def __init__(self, *, words=8):
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.input_space, self.latent_space = SignalSpace(1, 1, 8000), None
        self.known = nn.Embedding(words + 1, LENGTH)
        nn.init.normal_(self.known.weight, std=0.02)
        self.words = words

    def loss(self, signal, prompts, *, noise, condition="training"):
        if condition == "other":
            prompts = [*prompts[1:], prompts[0]]
        words = [self.words if condition == "none" else int(it) for it in prompts]
        target = signal[:, 0] + 0.1 * noise.like(signal)[:, 0]
        return (self.known(torch.tensor(words)) - target).square().mean(1)

    def encode(self, signal):
        raise NotImplementedError

    def decode(self, latents, request):
        return self.known(torch.tensor([int(it) for it in request.prompts]))[:, None]


class Words:
    """Clips of noise, each always the same, with a number for a caption."""

    def __init__(self, count=8, *, seed=0, level=1.0):
        self.count, self.seed, self.level = count, seed, level

    def __len__(self):
        return self.count

    def clip(self, index, epoch=0):
        generator = torch.Generator().manual_seed(100 * self.seed + index)
        wave = self.level * torch.randn(1, LENGTH, generator=generator)
        return Clip(wave, f"{index}", f"{self.seed}/{index}")


def watched(folder, stage=None, *, clips=None, held_out=None, fresh=True, by=None, **settings):
    """Return a training that is watched by all watchers, or by some."""
    values = {"steps": 50, "batch": 4, "workers": 0, "checkpoint_every": 10**6}
    values |= {"validate_every": 10, "learning_rate": 0.05, "clip_norm": None}
    path = Path(folder)
    path.mkdir(exist_ok=True)
    return Trainer(
        "toy",
        stage or Toy(),
        Train(**values | settings),
        seed=7,
        place=TrainingPaths(path / "c", path / "w.safetensors", path / "log.jsonl", {}),
        clips=clips or Words(),
        held_out=held_out,
        report=print,
        observers=default_monitors(fresh=fresh) if by is None else by,
    )


def warnings(log):
    """Return what a log warns of, each with its step."""
    lines = [json.loads(it) for it in Path(log).read_text().splitlines()]
    return [(it["step"], it["warning"]) for it in lines if "warning" in it]


def warned(training):
    """Train to the end; return the warnings, each told in the documents."""
    training.run()
    found = warnings(training.place.log)
    for _, line in found:
        assert told(line), f"docs/warnings.md does not tell of: {line}"
    return found


def told(line):
    """Return whether the documents show a warning, with whatever figures."""
    return blank(line) in blank(" ".join(PAGE.split()))


def blank(text):
    """Return text without figures and names."""
    text = re.sub(r"\(('[^']*')\)", "(NAME)", text)
    text = re.sub(r"on '[^']*'(, '[^']*')*", "on NAMES", text)
    text = re.sub(r"[\w./-]*/[\w./-]+ is [\w./-]*/[\w./-]+(, )?", "", text)
    return re.sub(r"[-+]*\d[\d.,]*(e[-+]\d+)?", "#", text)
