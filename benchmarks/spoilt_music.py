"""What the metrics of sets say of real music, whole and spoilt: the clips that come along.

python benchmarks/spoilt_music.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

import mousai_kit.api as mk

METRICS = ("frechet-distance", "genre-confusion", "nearest-training-clip")
RATE, SECONDS = 48_000, 5
HIGHEST = 2_000
"""Hz above which nothing is left of what is dull."""


def crops(split: str, epochs: range) -> list[mk.Clip]:
    """Return a crop of each track in each epoch."""
    wiring = {"sample_rate": RATE, "channels": 2, "length": SECONDS * RATE, "split": split}
    data = mk.build(mk.Dataset, "clips", **wiring)
    return [data.clip(index, epoch) for epoch in epochs for index in range(len(data))]


def spoil(clips: list[mk.Clip], change: Callable[[Tensor], Tensor]) -> list[mk.Clip]:
    """Return clips whose sound is changed."""
    return [replace(clip, wave=change(clip.wave)) for clip in clips]


def add_noise(wave: Tensor) -> Tensor:
    """Return a wave [c, t] in white noise at -30 dB of full scale."""
    noise = torch.randn(wave.shape, generator=torch.Generator().manual_seed(0))
    return wave + 10 ** (-30 / 20) * noise


def dull(wave: Tensor) -> Tensor:
    """Return a wave [c, t] without what is above HIGHEST."""
    spectrum = torch.fft.rfft(wave)
    spectrum[:, HIGHEST * wave.shape[1] // RATE :] = 0
    return torch.fft.irfft(spectrum, n=wave.shape[1])


def ask_for_others(clips: list[mk.Clip]) -> list[mk.Clip]:
    """Return clips that are said to be of each other's genre."""
    turned = clips[5:] + clips[:5]
    return [replace(clip, facts=other.facts) for clip, other in zip(clips, turned, strict=True)]


def main() -> None:
    """Print a row for each set of clips."""
    train, held_out = crops("train", range(4)), crops("validation", range(4))
    other = crops("train", range(4, 7))
    sets = {
        "training crops themselves": train[:33],
        "other crops of the same tracks": other,
        "the same, asked for by other genres": ask_for_others(other),
        "other tracks": held_out,
        "other crops in noise (-30 dB)": spoil(other, add_noise),
        "other crops below 2 kHz": spoil(other, dull),
    }
    real = mk.RealClips(mk.ClipSet(train), mk.ClipSet(held_out))
    metrics = [mk.build(mk.Metric, name, sample_rate=RATE) for name in METRICS]
    print("| clips |", " | ".join(f"`{metric.label}`" for metric in metrics), "|")
    print("| --- |" + " --- |" * len(metrics))
    for name, clips in sets.items():
        values = [metric.score(mk.ClipSet(clips), real).value for metric in metrics]
        print(f"| {name} |", " | ".join(f"{value:,.3g}" for value in values), "|")


if __name__ == "__main__":
    main()
