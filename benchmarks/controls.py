"""Controls: what they do to clips of a trained system, as figures and as pictures.

    python benchmarks/controls.py LIBRARY [--run starter] [--tracks 5] [--judge MODEL.npz]
                                          [--pictures FOLDER]

LIBRARY has held-out tracks with the genre beside each (see training_data/). Of each track six
seconds from its middle are given, and its genre is the prompt. Distances are means of log-mel
pictures in dB. A *step* is the largest change from one frame of 11 ms to the next within four of a
place; beside that of seams stands which part of all places has a smaller one, 0.5 being as
anywhere. `--judge` is a classifier that training_data/judge.py fitted, for negative prompts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit import audio

sys.path.insert(0, str(Path(__file__).parents[1] / "training_data"))
from judging.crops import Track, describe_file, read_tracks
from judging.model import Judge

SECONDS = 6.0
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SPREADS = (0.0, 0.1, 0.2, 0.4, 1.0)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
RANGE = (2.0, 4.0)
REACH = 4
"""Frames around a place in which a step is looked for."""
HOP = 512
NEGATIVES = 16
"""Clips that are made with and without a negative prompt."""
GUIDED: tuple[dict[str, Any], ...] = (
    {},
    {"guidance_rescale": 0.7},
    {"guidance_interval": [0.2, 0.7]},
    {"guidance_schedule": "linear"},
)
"""What guidance is asked with."""
COLOURS = 48
"""Of a picture, so that it is small."""
NEGATIVE_OF = (("Rock, Celtic Folk", "Rock"), ("Techno, Ambient Electronic", "Techno"))
"""Prompts of two styles, and the one that is to be kept away from."""


@dataclass(frozen=True)
class Excerpt:
    """Part of a held-out track: its file, its audio [c, t], and its genre."""

    path: Path
    wave: Tensor
    prompt: str


class Bench:
    """A system, and what it makes of excerpts."""

    def __init__(self, cascade: mk.Pipeline, excerpts: Sequence[Excerpt], folder: Path) -> None:
        self.cascade, self.excerpts, self.folder = cascade, excerpts, folder
        self.rate = cascade.recipe.audio.sample_rate

    def make(self, prompt: str, *, seconds: float | None = None, **controls: Any) -> Tensor:
        """Return a clip [c, t]."""
        return self.cascade.generate(prompt, seconds=seconds, seed=3, **controls).audio

    def mel(self, wave: Tensor) -> Tensor:
        """Return the log-mel picture [80, frames] of audio [c, t]."""
        return audio.log_mel(wave, self.rate, hop=HOP, bands=80).mean(0)

    def distance(self, one: Tensor, other: Tensor) -> float:
        """Return how far two clips of one length are apart, in dB."""
        return float((self.mel(one) - self.mel(other)).abs().mean())

    def seam(self, wave: Tensor, seconds: float) -> tuple[float, float]:
        """Return the step at a place, and which part of all places have a smaller one."""
        steps = self.mel(wave).diff(dim=1).abs().mean(0)
        near = steps.unfold(0, 2 * REACH, 1).amax(1)
        place = min(max(0, round(seconds * self.rate / HOP) - REACH), len(near) - 1)
        return float(near[place]), float((near < near[place]).float().mean())

    def guidances(self) -> None:
        """Print how loud guidance makes clips, and less so with what is against it."""
        for guidance in (7.0, 15.0):
            for controls in GUIDED:
                made = [
                    self.make(it.prompt, seconds=4, guidance=guidance, **controls)
                    for it in self.excerpts
                ]
                peak, deviation = (
                    mean(float(f(clip)) for clip in made) for f in (_peak, torch.std)
                )
                told = f"peak {peak:.2f}, deviation {deviation:.2f}"
                print(f"guidance {guidance:g} {controls or 'alone'}: {told}", flush=True)

    def strengths(self) -> None:
        """Print the distance to the file by strength."""
        for strength in STRENGTHS:
            found = [
                self.distance(
                    self.make(it.prompt, source=it.path, strength=strength)[:, : it.wave.shape[1]],
                    it.wave,
                )
                for it in self.excerpts
            ]
            print(f"strength {strength:g}: {mean(found):.2f} dB to the file", flush=True)

    def ranges(self) -> None:
        """Print what is left outside of a range, and the steps at its ends."""
        start, stop = (round(edge * self.rate) for edge in RANGE)
        differ, found, there = 0, [], []
        for it in self.excerpts:
            made = self.make(it.prompt, inpaint=it.path, ranges=["{:g}-{:g}".format(*RANGE)])
            outside = torch.ones(it.wave.shape[1], dtype=torch.bool)
            outside[start:stop] = False
            differ += int((made != it.wave)[:, outside].sum())
            found += [self.seam(made, edge) for edge in RANGE]
            there += [self.seam(it.wave, edge) for edge in RANGE]
        print(f"inpaint: {differ} samples outside the range differ")
        self.print_seams("inpaint, both ends", found)
        self.print_seams("the files at these places", there)

    def continuations(self) -> None:
        """Print the steps where a file ends, and where the windows of what follows meet."""
        trained = list(self.cascade.recipe.stages.values())[-1].train.length / self.rate
        ends, windows, differ = [], [], 0
        for it in self.excerpts:
            made = self.make(it.prompt, extend=it.path, seconds=10)
            known = it.wave.shape[1]
            differ += int((made[:, :known] != it.wave).sum())
            ends.append(self.seam(made, SECONDS))
            windows.append(self.seam(made, SECONDS + trained / 2))
        print(f"continue: {differ} samples of the file differ")
        self.print_seams("continue, where the file ends", ends)
        self.print_seams("continue, where windows meet", windows)

    def loops(self) -> None:
        """Print the steps where a clip that is played three times begins anew."""
        for loop in (True, False):
            found = []
            for it in self.excerpts:
                made = self.make(it.prompt, seconds=4, loop=loop)
                thrice = torch.cat([made, made, made], 1)
                found += [self.seam(thrice, edge) for edge in (4.0, 8.0)]
            self.print_seams("loop, three times" if loop else "no loop, three times", found)

    def print_seams(self, name: str, found: Sequence[tuple[float, float]]) -> None:
        """Print steps, and which part of all places have smaller ones."""
        steps, ranks = zip(*found, strict=True)
        print(f"{name}: step {mean(steps):.2f} dB, above {mean(ranks):.2f} of all", flush=True)

    def variations(self) -> None:
        """Print how far variations are from the seed's clip, by spread."""
        prompts = [it.prompt for it in self.excerpts]
        own = [self.make(prompt, seconds=4) for prompt in prompts]
        for spread in SPREADS:
            found = [
                self.distance(self.make(prompt, seconds=4, variation=1, spread=spread), clip)
                for prompt, clip in zip(prompts, own, strict=True)
            ]
            print(f"spread {spread:g}: {mean(found):.2f} dB from the seed's clip", flush=True)

    def blends(self) -> None:
        """Print how far blends of the first two prompts are from each."""
        one, other = (self.make(it.prompt, seconds=4) for it in self.excerpts[:2])
        first, second = (it.prompt for it in self.excerpts[:2])
        for share in SHARES:
            made = self.make(first, seconds=4, blend=second, blend_at=share)
            far = self.distance(made, one), self.distance(made, other)
            told = f"{far[0]:.1f} dB from {first}, {far[1]:.1f} from {second}"
            print(f"blend {share:g}: {told}", flush=True)

    def negatives(self, judge: Judge, prompt: str, negative: str) -> None:
        """Print how many clips a judge takes for a style, with and without it as negative."""
        shares = {}
        for name, controls in (("without", {}), ("with", {"negative": negative})):
            place = self.folder / name
            for seed in range(NEGATIVES):
                clip = self.cascade.generate(prompt, seconds=10, seed=seed, **controls)
                clip.save(place / f"{seed}.flac", force=True)
            shares[name] = _share(judge, sorted(place.glob("*.flac")), negative)
        told = ", ".join(f"{share:.2f} {name}" for name, share in shares.items())
        print(f"negative: of {NEGATIVES} clips of {prompt!r}, {negative} has a share of {told}")

    def draw(self, folder: Path) -> None:
        """Draw a picture for each control."""
        it = self.excerpts[0]
        prompt, other = it.prompt, self.excerpts[1].prompt
        given = {f"{prompt}: the file": it.wave}
        plain = {prompt: self.make(prompt, seconds=4)}
        looped = self.make(prompt, seconds=4, loop=True)
        pictures = {
            "negative": plain
            | {f"{prompt}, negative: drums": self.make(prompt, seconds=4, negative="drums")},
            "from": given
            | {
                f"strength {it_is:g}": self.make(prompt, source=it.path, strength=it_is)
                for it_is in (0.4, 0.8)
            },
            "inpaint": given
            | {"2 to 4 s anew": self.make(prompt, inpaint=it.path, ranges=["2-4"])},
            "continue": {
                f"{prompt}: six seconds of a file, and six that follow": self.make(
                    prompt, extend=it.path, seconds=6
                )
            },
            "blend": {
                f"{prompt}, blend: {other}": self.make(prompt, seconds=8, blend=other),
            },
            "loop": {"a loop of 4 s, three times": torch.cat([looped] * 3, 1)},
            "variations": plain
            | {
                f"variation 1, spread {far:g}": self.make(
                    prompt, seconds=4, variation=1, spread=far
                )
                for far in (0.2, 0.6)
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, waves in pictures.items():
            audio.plot_mels(
                folder / f"{name}.png", {key: self.strip(w) for key, w in waves.items()}
            )
            path = folder / f"{name}.png"
            Image.open(path).quantize(COLOURS).save(path, optimize=True)
            print(path, flush=True)

    def strip(self, wave: Tensor) -> audio.StreamingMel:
        """Return the picture of audio [c, t]."""
        mel = audio.StreamingMel(self.rate, wave.shape[1])
        mel.add(wave)
        return mel


def _peak(wave: Tensor) -> Tensor:
    return wave.abs().max()


def _share(judge: Judge, paths: Sequence[Path], style: str) -> float:
    """Return the mean share of a style in clips, among all that the judge knows."""
    logs = (judge.log_shares(describe_file(path)) for path in paths)
    shares = [np.exp(log - np.logaddexp.reduce(log)) for log in logs]
    return float(np.mean(shares, 0)[judge.styles.index(style)])


def excerpts_of(library: Path, count: int, rate: int, folder: Path) -> list[Excerpt]:
    """Return parts of held-out tracks, of as many genres as there can be, as files in a folder."""
    by_genre: dict[str, Track] = {}
    for track in read_tracks(library, "held_out"):
        if audio.audio_info(track.path).seconds >= 2 * SECONDS:
            by_genre.setdefault(track.style, track)
    found = []
    tracks = list(by_genre.values())
    for number, track in enumerate(tracks[:: max(1, len(tracks) // count)][:count]):
        start = (audio.audio_info(track.path).seconds - SECONDS) / 2
        wave = mk.read(track.path, sample_rate=rate, channels=2, start=start, seconds=SECONDS)
        path = folder / f"{number}.flac"
        audio.write(path, wave, sample_rate=rate, tags={})
        back = mk.read(path, sample_rate=rate, channels=2)
        found.append(Excerpt(path, back, track.style))
    return found


def main() -> None:
    """Print figures; draw pictures, if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--run", default="starter")
    parser.add_argument("--tracks", type=int, default=5)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    cascade = mk.load(options.run, quiet=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rate = cascade.recipe.audio.sample_rate
        excerpts = excerpts_of(options.library, options.tracks, rate, folder)
        print("excerpts:", ", ".join(it.prompt for it in excerpts), flush=True)
        bench = Bench(cascade, excerpts, folder)
        if options.pictures:
            bench.draw(options.pictures)
        for measure in (bench.strengths, bench.ranges, bench.continuations, bench.loops):
            measure()
        bench.guidances()
        bench.variations()
        bench.blends()
        if options.judge:
            judge = Judge.load(options.judge)
            for prompt, negative in NEGATIVE_OF:
                bench.negatives(judge, prompt, negative)


if __name__ == "__main__":
    main()
