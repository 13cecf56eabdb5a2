"""Novelty: how far clips lie from the music that was learned, and whether they copy a piece of it.

Two looks. *Distance*, root mean square over standardised features, from a clip to the nearest crop
of the tracks to train on: small where a clip sounds like a track. *Copy*, the highest correlation
of four seconds of the clip's sketch with any four of any track, each band less its mean: near 1
where notes and strokes are those of a recording, whatever its level and its timbre.

Legend: k crops, d features, f bands, n frames, p patches, w frames of a patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, conv1d

import mousai_kit.api as mk
from judging.classifier import standardised
from judging.crops import SHORTEST, Cache, Track, clips_in, describe_file, fault, read_tracks
from judging.features import RATE, SECONDS, SKETCH_HOP, SKETCH_WINDOW, sketch
from mousai_kit.core.console import Screen

PATCH, APART = 47, 23
"""Frames of a patch, four seconds, and from one to the next."""
LEAST_DECIBELS = 1.5
"""Deviation in dB below which a patch counts less and less: any two held chords are alike."""
PAIRS = 20_000
"""Pairs of crops of one style whose distance is looked at, at most."""
INSIDE = 0.37
"""Where in a track a crop lies that is to be found again: between the frames of any sketch."""


@dataclass(frozen=True)
class Learned:
    """Crops of all tracks to train on, with what they are standardised by."""

    tracks: list[Track]
    features: np.ndarray
    owner: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, library: Path, cache: Cache, screen: Screen) -> Learned:
        """Describe all crops of the tracks to train on, or take what is kept of them."""
        tracks = read_tracks(library, "train")
        found: list[np.ndarray] = []
        owner: list[int] = []
        with screen.bar("looking at tracks", len(tracks)) as bar:
            for number, track in enumerate(tracks):
                _, features = cache.crops(track.path)
                found += list(features)
                owner += [number] * len(features)
                bar.advance(note=track.name)
        if not found:
            raise fault(library, "holds nothing but silence to train on")
        raw = np.array(found)
        mean, scale = raw.mean(0), raw.std(0) + 1e-6
        return cls(tracks, standardised(raw, mean, scale), np.array(owner), mean, scale)

    def nearest(self, features: np.ndarray, *, but: int = -1) -> tuple[float, str]:
        """Return the least distance of crops [k, d] from a track's, and the track.

        `but` is the number of a track that is passed over.
        """
        ours = torch.from_numpy(standardised(features, self.mean, self.scale))
        distance = torch.cdist(ours, torch.from_numpy(self.features)) / ours.shape[1] ** 0.5
        distance[:, torch.from_numpy(self.owner == but)] = torch.inf
        least, place = distance.min(0).values.min(0)
        return float(least), self.tracks[self.owner[int(place)]].name

    def between(self) -> float:
        """Return the median distance between crops of different tracks of one style."""
        style = np.array([self.tracks[number].style for number in self.owner])
        order = np.random.default_rng(0)
        first = order.integers(0, len(style), 40 * PAIRS)
        other = order.integers(0, len(style), 40 * PAIRS)
        fit = (style[first] == style[other]) & (self.owner[first] != self.owner[other])
        first, other = first[fit][:PAIRS], other[fit][:PAIRS]
        return _median(np.sqrt(((self.features[first] - self.features[other]) ** 2).mean(1)))

    def among_themselves(self, screen: Screen) -> float:
        """Return the median distance of a crop, one a track, from the nearest of another track."""
        found = []
        with screen.bar("comparing tracks", len(self.tracks)) as bar:
            for number in np.unique(self.owner).tolist():
                own = self.features[self.owner == number]
                raw = own[len(own) // 2][None] * self.scale + self.mean
                found.append(self.nearest(raw, but=number)[0])
                bar.advance()
        return _median(found)


def measure(library: Path, folder: Path, *, cache: Cache, screen: Screen) -> dict[str, Any]:
    """Return how new the clips of a folder are, beside what real music gives.

    RequestError where there is nothing to compare.
    """
    paths = clips_in(folder)
    learned = Learned.of(library, cache, screen)
    held_out = read_tracks(library, "held_out")
    unseen = [learned.nearest(features)[0] for features in _middles(held_out, cache, screen)]
    clips = [_nearest(path, folder, learned) for path in paths]
    copies = _copies(paths, held_out, learned.tracks, cache, screen)
    for clip, (score, source) in zip(clips, copies["clips"], strict=True):
        clip |= {"copy": round(score, 3), "copy_of": source}
    return {
        "distance": {
            "clips": _median([clip["distance"] for clip in clips]),
            "different tracks of one style": learned.between(),
            "nearest of another track": learned.among_themselves(screen),
            "nearest to held-out tracks": _median(unseen),
        },
        "copy": {
            "clips": _median([clip["copy"] for clip in clips]),
            "highest of clips": max(clip["copy"] for clip in clips),
            "held-out tracks": _median(copies["held_out"]),
            "highest of held-out tracks": max(copies["held_out"]),
            "pieces of tracks themselves": _median(copies["train"]),
            "lowest of pieces themselves": min(copies["train"]),
        },
        "clips": clips,
    }


def _middles(tracks: Sequence[Track], cache: Cache, screen: Screen) -> list[np.ndarray]:
    """Return the features [1, d] of a crop of each track."""
    found = []
    with screen.bar("looking at held-out tracks", len(tracks)) as bar:
        for track in tracks:
            _, features = cache.crops(track.path, most=8)
            found += [features[len(features) // 2][None]] if len(features) else []
            bar.advance(note=track.name)
    return found


def _nearest(path: Path, folder: Path, learned: Learned) -> dict[str, Any]:
    features = describe_file(path)
    if not len(features):
        raise fault(path, f"is silent, or lasts less than {SHORTEST:g} seconds")
    distance, track = learned.nearest(features)
    return {
        "clip": str(path.relative_to(folder)),
        "distance": round(distance, 4),
        "nearest": track,
    }


def _copies(
    paths: Sequence[Path],
    held_out: Sequence[Track],
    tracks: Sequence[Track],
    cache: Cache,
    screen: Screen,
) -> dict[str, Any]:
    """Return the highest correlations of clips, of unseen music, and of pieces of the tracks."""
    real = [track.path for track in (*held_out, *tracks[:: max(1, len(tracks) // 20)])]
    crops = [*(_read(path) for path in paths), *(_inside(path) for path in real)]
    patches = [patches_of(sketch(crop)) for crop in crops]
    best = torch.full((sum(map(len, patches)),), -1.0)
    source = torch.full(best.shape, -1)
    everything = torch.cat(patches)
    with screen.bar("looking for copies", len(tracks)) as bar:
        for number, track in enumerate(tracks):
            found = correlate(everything, torch.from_numpy(cache.sketch(track.path)).float())
            source[found > best] = number
            best = best.maximum(found)
            bar.advance(note=track.name)
    found = []
    for score, number in zip(
        best.split([*map(len, patches)]), source.split([*map(len, patches)]), strict=True
    ):
        place = int(score.argmax())
        found.append((float(score[place]), tracks[int(number[place])].name))
    clips, unseen = found[: len(paths)], found[len(paths) : len(paths) + len(held_out)]
    themselves = found[len(paths) + len(held_out) :]
    return {
        "clips": clips,
        "held_out": [round(score, 3) for score, _ in unseen],
        "train": [round(score, 3) for score, _ in themselves],
    }


def _read(path: Path) -> Tensor:
    """Return a clip's audio [t], with silence behind one of less than a patch."""
    return _long_enough(mk.read(path, sample_rate=RATE, channels=1)[0])


def _inside(path: Path) -> Tensor:
    """Return ten seconds [t] of a track that begin on no frame of its sketch."""
    start = max(0.0, INSIDE * mk.audio_info(path).seconds - SECONDS / 2)
    return _long_enough(
        mk.read(path, sample_rate=RATE, channels=1, start=start, seconds=SECONDS)[0]
    )


def _long_enough(wave: Tensor) -> Tensor:
    least = PATCH * SKETCH_HOP + SKETCH_WINDOW
    short = max(0, least - len(wave))
    return torch.cat([wave, wave.new_zeros(short)]) if short else wave


def patches_of(levels: Tensor) -> Tensor:
    """Return patches [p, f, w] of a sketch [f, n], each band less its mean, of deviation 1."""
    patch = levels.unfold(1, PATCH, APART).transpose(0, 1)
    patch = patch - patch.mean(2, keepdim=True)
    return patch / _floor(patch.square().mean((1, 2))).sqrt()[:, None, None]


def correlate(patches: Tensor, levels: Tensor) -> Tensor:
    """Return the highest correlation [p] of patches [p, f, w] with any piece of a sketch [f, n]."""
    if levels.shape[1] < PATCH:
        return torch.full((len(patches),), -1.0)
    levels = levels - levels.mean(1, keepdim=True)
    mean = avg_pool1d(levels[None], PATCH, 1)[0]
    variance = (avg_pool1d(levels.square()[None], PATCH, 1)[0] - mean.square()).mean(0)
    product = conv1d(levels[None], patches)[0] / patches[0].numel()
    return (product / _floor(variance.clamp(min=0)).sqrt()).max(1).values


def _floor(variance: Tensor) -> Tensor:
    return variance + LEAST_DECIBELS**2


def _median(values: Sequence[float] | np.ndarray) -> float:
    return round(float(np.median(values)), 4)
