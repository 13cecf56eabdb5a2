"""How near windows come to decoding whole, at the seams and elsewhere, on a trained run.

    python benchmarks/seams.py RUN [--seconds 30] [--window 10] [--picture FILE]

The latents come from music of the run's own data, one excerpt after another, some of them soft, and
from the recipe's first prompt. Prints the log-mel distance between both ways near seams (where
windows overlap) and elsewhere, the relative error of the audio, and what another seed of the noise
would have changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import machine
import torch
from torch import Tensor

from mousai_kit.audio.spectrogram import StreamingMel, log_mel, plot_mels
from mousai_kit.core.interfaces import GenerationRequest
from mousai_kit.core.seeds import derive_seed
from mousai_kit.data.datasets import dataset
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.overlap import overlapping_windows
from mousai_kit.runs.resolve import trained_system
from mousai_kit.runs.run import Run

GAINS = (1.0, 0.02, 0.3, 1.0, 0.0, 1.0, 0.1, 1.0)
"""Loudness of the excerpts: what a window's group norms see differs from what the whole's see."""
HOP = 512
HEAD = "| latents of | seams (dB) | elsewhere (dB) | worst frame (dB) | error | another seed (dB) |"


def music(system: Run, samples: int) -> Tensor:
    """Return audio [1, c, samples] of five-second excerpts of unlike loudness."""
    rate = system.recipe.audio.sample_rate
    clips = dataset(system.recipe, length=5 * rate, split="train")
    count = -(-samples // (5 * rate))
    parts = [clips.clip(7 * i % len(clips)).wave * GAINS[i % len(GAINS)] for i in range(count)]
    return torch.cat(parts, -1)[None, ..., :samples]


def cases(system: Run, samples: int) -> Iterator[tuple[str, Tensor]]:
    """Yield what the latents come from, and the latents."""
    cascade = system.cascade
    lowest, top = next(iter(cascade.stages)), cascade.top
    yield "music", cascade.encode_to(music(system, samples), lowest)
    if top.latent_space is None:
        prompt = system.recipe.generate.prompts[0]
        guidance = system.recipe.generate.guidance
        seeds = [derive_seed(0, next(reversed(cascade.stages)))]
        yield "prompt", top.decode(None, GenerationRequest([prompt], seeds, samples, guidance))


def near_seams(cascade: Cascade, samples: int, window: int, frames: int) -> Tensor:
    """Return which frames [t] of a log-mel spectrogram lie where windows overlap."""
    lowest = next(iter(cascade.stages.values()))
    unit = getattr(lowest, "multiple", 1)
    found = torch.zeros(frames, dtype=torch.bool)
    for before, after in pairwise(overlapping_windows(-(-samples // unit), -(-window // unit))):
        found[after.start * unit // HOP : before.stop * unit // HOP + 1] = True
    return found


def distances(one: Tensor, other: Tensor, rate: int) -> Tensor:
    """Return the log-mel distance in dB of two pieces of audio [1, c, t], per frame."""
    mels = [log_mel(it[0].mean(0), rate, hop=HOP) for it in (one, other)]
    return (mels[0] - mels[1]).abs().mean(0)


@torch.no_grad()
def main() -> None:
    """Measure, print, and draw what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--window", type=float, default=10.0)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    system = trained_system(options.run, None, None).load()
    cascade, rate = system.cascade, system.recipe.audio.sample_rate
    samples, window = round(options.seconds * rate), round(options.window * rate)
    lowest = next(iter(cascade.stages))
    print(HEAD)
    print("| --- " * 6 + "|")
    strips = {}
    for name, latents in cases(system, samples):
        whole, split, other = (
            cascade.decode(latents, GenerationRequest([""], [seed], samples, window=it), top=lowest)
            for seed, it in [(0, None), (0, window), (1, None)]
        )
        found = distances(whole, split, rate)
        seams = near_seams(cascade, samples, window, len(found))
        error = (split - whole).norm() / whole.norm()
        print(
            f"| {name} | {found[seams].mean():.4f} | {found[~seams].mean():.4f} "
            f"| {found.max():.3f} | {error:.1e} | {distances(whole, other, rate).mean():.2f} |"
        )
        strips[f"{name}, whole"] = StreamingMel.of(whole[0], rate)
        strips[f"{name}, in windows"] = StreamingMel.of(split[0], rate)
    print(machine.line())
    if options.picture:
        plot_mels(options.picture, strips)


if __name__ == "__main__":
    main()
