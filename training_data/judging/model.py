"""The judge: a classifier of styles fitted to a library's tracks, and how it tells real music.

Legend: k crops, d features, s styles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mousai_kit.api as mk
from judging.classifier import DECAYS, FOLDS, Classifier, Crops, best_told, cross_validate
from judging.crops import Cache, Track, fault, read_tracks
from judging.features import VERSION
from judging.shares import Shares
from mousai_kit.core.console import Screen
from mousai_kit.core.files import atomic_write

LEAST = 3
"""Tracks to learn from that a style needs to be told at all."""
SURE = 2.0
"""Logarithm of how much likelier another style is, from which on a label is doubted."""
REAL = ("validated", "held_out")
"""Real crops: told by the other tracks to train on; and of tracks that nothing was learned from."""


@dataclass(frozen=True)
class Judge:
    """A classifier of styles, and what it says of real crops."""

    styles: list[str]
    chosen: list[str]
    """Those that are told apart best, as validated."""
    classifier: Classifier
    real: dict[str, Shares]
    """What it says of real crops, for each of REAL."""
    figures: dict[str, Any]

    def log_shares(self, features: np.ndarray) -> np.ndarray:
        """Return logarithms of the styles' shares [s] in a clip of crops [k, d]."""
        return self.classifier.log_shares(features).mean(0)

    def save(self, path: Path) -> None:
        """Write a file that `load` reads."""
        arrays = dict(vars(self.classifier))
        for name, shares in self.real.items():
            arrays |= {f"{name}.{key}": value for key, value in vars(shares).items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.savez(
                file,
                version=VERSION,
                styles=np.array(self.styles),
                chosen=np.array(self.chosen),
                figures=json.dumps(self.figures),
                **arrays,
            )

    @classmethod
    def load(cls, path: Path) -> Judge:
        """Read a file; RequestError where it is none of these, or of other features."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                found = dict(kept)
            version = int(found["version"])
            classifier = Classifier(*(found[key] for key in Classifier.__annotations__))
            real = {
                name: Shares(*(found[f"{name}.{key}"] for key in Shares.__annotations__))
                for name in REAL
            }
            figures = json.loads(str(found["figures"]))
            styles, chosen = found["styles"].tolist(), found["chosen"].tolist()
        except FileNotFoundError:
            raise fault(path, "does not exist; `judge.py fit LIBRARY --out` makes it") from None
        except (OSError, ValueError, EOFError, KeyError, TypeError):
            raise fault(path, "is no judge; `judge.py fit LIBRARY --out` makes one") from None
        if version != VERSION:
            raise fault(path, "is of other features than today's; fit it anew")
        return cls(styles, chosen, classifier, real, figures)


def fit(
    library: Path,
    *,
    cache: Cache,
    most: int,
    choose: int,
    without: Sequence[str] = (),
    screen: Screen,
) -> Judge:
    """Fit a judge to a library's tracks to train on, and look how it tells those held out.

    `most` crops of a track are looked at; `choose` styles are chosen, none of which is `without`.
    RequestError where there are too few styles, or one is not there to be without.
    """
    train, held_out = (read_tracks(library, split) for split in ("train", "held_out"))
    names, left_out = _styles(train)
    _check_known(without, names)
    learned = _described(train, names, cache, most, screen)
    unseen = _described(held_out, names, cache, most, screen)
    with screen.bar("cross-validation", FOLDS * len(DECAYS)) as bar:
        decay, told = cross_validate(learned, styles=len(names), tick=bar.advance)
    classifier = Classifier.fit(learned, styles=len(names), decay=decay)
    validated = Shares(told, learned.tracks, learned.styles)
    shares = classifier.log_shares(unseen.features)
    allowed = [style for style, name in enumerate(names) if name not in without]
    sets = best_told(learned.styles, told, among=allowed)
    figures = {
        "library": str(library),
        "decay": decay,
        "tracks": {"train": len(train), "held_out": len(held_out)},
        "left_out": left_out,
        "sets": [
            {"styles": [names[style] for style in found], "balanced": validated.balanced(found)}
            for found in sets
        ],
        "doubtful": _doubtful(train, names, validated),
    }
    return Judge(
        names,
        [names[style] for style in next(found for found in sets if len(found) <= choose)],
        classifier,
        {"validated": validated, "held_out": Shares(shares, unseen.tracks, unseen.styles)},
        figures,
    )


def _styles(tracks: Sequence[Track]) -> tuple[list[str], dict[str, int]]:
    """Return the styles that can be told, and how many tracks those have that can't."""
    counts = dict.fromkeys(sorted({track.style for track in tracks}), 0)
    for track in tracks:
        counts[track.style] += 1
    names = [name for name, count in counts.items() if count >= LEAST]
    if len(names) < 2:
        got = ", ".join(f"{name}: {count}" for name, count in counts.items())
        told = f"a judge tells two styles or more apart, with {LEAST} tracks each (got {got})"
        raise mk.RequestError(told)
    return names, {name: count for name, count in counts.items() if count < LEAST}


def _check_known(styles: Sequence[str], names: Sequence[str]) -> None:
    if unknown := [style for style in styles if style not in names]:
        known = ", ".join(names)
        raise mk.RequestError(f"--without: there is no style {unknown[0]}; there are {known}")


def _described(
    tracks: Sequence[Track], names: Sequence[str], cache: Cache, most: int, screen: Screen
) -> Crops:
    """Return the crops of tracks of some styles."""
    found: list[tuple[np.ndarray, int, int]] = []
    wanted = [(number, track) for number, track in enumerate(tracks) if track.style in names]
    with screen.bar("looking at tracks", len(wanted)) as bar:
        for number, track in wanted:
            _, features = cache.crops(track.path, most=most)
            found += [(crop, number, names.index(track.style)) for crop in features]
            bar.advance(note=track.name)
    return Crops(
        np.array([crop for crop, _, _ in found]),
        np.array([number for _, number, _ in found]),
        np.array([style for _, _, style in found]),
    )


def _doubtful(tracks: Sequence[Track], names: Sequence[str], validated: Shares) -> list[list[str]]:
    """Return tracks that all others say are of another style, the surest first."""
    found = []
    for number, share in validated.whole():
        style = names.index(tracks[number].style)
        other = int(share.argmax())
        if (sure := share[other] - share[style]) > SURE:
            found.append((sure, tracks[number].name, tracks[number].style, names[other]))
    return [list(row[1:]) for row in sorted(found, reverse=True)]
