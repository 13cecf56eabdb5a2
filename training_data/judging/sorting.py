"""Sorting: clips by the style that is heard in them, beside the one that was asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import mousai_kit.api as mk
from judging.crops import SHORTEST, clips_in, describe_file, fault
from judging.model import Judge
from judging.shares import Shares, interval
from mousai_kit.core.console import Screen


def sort(judge: Judge, folder: Path, *, screen: Screen) -> dict[str, Any]:
    """Return which styles the clips of a folder are heard as: of those asked for, and of all.

    Clips whose prompt names no style are left out. RequestError where there are no others.
    """
    found = {path: style_of(path, judge.styles) for path in clips_in(folder)}
    left_out = [path.name for path, style in found.items() if style is None]
    paths = [path for path, style in found.items() if style is not None]
    if not paths:
        known = ", ".join(judge.styles)
        raise fault(folder, f"no clip's prompt names a style that the judge knows: {known}")
    asked = np.array([judge.styles.index(found[path] or "") for path in paths])
    shares = []
    with screen.bar("listening", len(paths)) as bar:
        for path in paths:
            shares.append(_heard(path, judge))
            bar.advance(note=path.name)
    heard = Shares(np.array(shares), np.arange(len(paths)), asked)
    wanted = np.unique(asked).tolist()
    return {
        "asked": _told(heard, judge, wanted),
        "all": _told(heard, judge, range(len(judge.styles))),
        "left_out": left_out,
        "clips": [
            _clip(str(path.relative_to(folder)), style, log, wanted, judge.styles)
            for path, style, log in zip(paths, asked.tolist(), heard.log, strict=True)
        ],
    }


def style_of(path: Path, styles: Sequence[str]) -> str | None:
    """Return the style that a clip's prompt names, of several the longest; None without one.

    The prompt is the file's tag, else the file's name.
    """
    words = f" {_plain(mk.read_tags(path).get('prompt') or path.stem)} "
    named = [style for style in styles if f" {_plain(style)} " in words]
    return max(named, key=len, default=None)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _heard(path: Path, judge: Judge) -> np.ndarray:
    """Return logarithms of the styles' shares [s] in a clip."""
    features = describe_file(path)
    if not len(features):
        raise fault(path, f"is silent, or lasts less than {SHORTEST:g} seconds")
    return judge.log_shares(features)


def _told(heard: Shares, judge: Judge, styles: Sequence[int]) -> dict[str, Any]:
    """Return how many clips are told right among some styles, and how many real crops are."""
    names = [judge.styles[style] for style in styles]
    clips = heard.among(styles)
    right, of = clips.right
    return {
        "styles": names,
        "right": [right, of],
        "interval": [round(end, 4) for end in interval(right, of)],
        "chance": round(1 / len(names), 4),
        "real": {name: shares.balanced(styles) for name, shares in judge.real.items()},
        "confusion": clips.confusion(names),
    }


def _clip(
    name: str, style: int, log: np.ndarray, wanted: Sequence[int], styles: Sequence[str]
) -> dict[str, Any]:
    """Return what is heard in a clip; shares are those among all styles."""
    share = np.exp(log - np.logaddexp.reduce(log))
    return {
        "clip": name,
        "asked": styles[style],
        "heard": styles[wanted[int(log[list(wanted)].argmax())]],
        "shares": {styles[it]: round(float(share[it]), 3) for it in np.argsort(-share)[:3]},
    }
