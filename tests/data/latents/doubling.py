"""A cascade whose latents are twice the audio, and music that is numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError, Problem
from mousai_kit.core.interfaces import Clip, SignalSpace
from mousai_kit.data.latent_cache import LatentCacheBuilder, ensure_latents

FOLDER = Path("latents-train")
SHARDS = FOLDER / "db3302c35acd"
"""Where the latents lie of `Numbers()`, which their key tells."""


class Upper(nn.Linear):
    """Stands for a stage that may be told more than the text."""

    def __init__(self, extract, key):
        super().__init__(1, 1)
        self.extras_extractor, self.extras_key = extract, key


class Doubling:
    """Stands for a cascade whose latents are twice the audio; counts its work."""

    def __init__(self, factor=2, *, extract=None, key=None):
        self.stages = {"lower": nn.Linear(1, 1), "upper": Upper(extract, key or {})}
        self.encoded, self.factor = 0, factor

    def input_space(self, name):
        return SignalSpace(channels=1, stride=1, sample_rate=8000)

    def encode(self, wave, *, up_to):
        self.encoded += len(wave)
        return self.factor * wave


class Numbers:
    """Clips [1, 2] that hold their index and epoch, from 1; some can't be read."""

    def __init__(self, count=10, bad=(), shift=0.0, text="text"):
        self.count, self.bad, self.shift, self.text = count, bad, shift, text

    def __len__(self):
        return self.count

    def clip(self, index, epoch=0):
        if (index, epoch) in self.bad:
            raise AudioError(Problem(f"{index}.wav", "", f"is bad in {epoch}"))
        wave = torch.tensor([[index + 1.0, epoch + 1.0]]) + self.shift
        return Clip(wave, f"{self.text} {index} in {epoch}", f"{index}.wav")


def header(*, weights="w", data="here", length=2, rate=1e-4):
    """Return what files of a stage say, for a stage above one."""
    stages = {
        "lower": {"model": {"use": "doubling"}, "train": {"steps": 1}},
        "upper": {"model": {"use": "learning"}, "train": {"length": length, "rate": rate}},
    }
    key = {"seed": 0, "audio": {"channels": 1}, "data": {"path": data}, "stages": stages}
    return {"stage": "upper", "key": key, "recipe": "{}", "below": [weights]}


def encoding(clips, *, cascade=None, passes=3, workers=0, folder=FOLDER, **changes):
    return LatentCacheBuilder(
        cascade or Doubling(),
        header(**changes),
        clips,
        split="train",
        passes=passes,
        folder=Path(folder),
        workers=workers,
    )


def kept(clips, *, told=None, screen=None, **settings):
    """Return the latents of clips as a run would have them."""
    report = [] if told is None else told
    return ensure_latents(encoding(clips, **settings), screen or Screen(quiet=True), report.append)


def rows(found, epoch):
    return [found.clip(index, epoch).wave[0].tolist() for index in range(len(found))]


def files(folder=FOLDER):
    """Return the bytes of each file in a folder, which holds latents of one key at most."""
    assert len(list(Path(folder).iterdir())) <= 1
    return {it.name: it.read_bytes() for it in sorted(Path(folder).glob("*/*"))}
