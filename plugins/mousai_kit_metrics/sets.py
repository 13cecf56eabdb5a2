"""Sets of clips as metrics take them: counted, described, as one vector a clip.

Legend: n clips, d features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import mousai_kit.api as mk

CHANCE, REAL = "chance", "real music"
"""Names of figures that stand beside a score: of guesses, and of real music in the clips' place."""


def check_count(
    metric: mk.SetMetric, clips: mk.ClipSet, which: str, hint: str, *, least: int = 2
) -> None:
    """Raise RequestError where there are fewer clips than `least`."""
    if len(clips) < least:
        told = f"needs {least} {which} clip{'s'[: least - 1]} or more; {hint} (got {len(clips)})"
        raise mk.RequestError.about(metric.name, told)


def check_generated(metric: mk.SetMetric, clips: mk.ClipSet, *, least: int = 2) -> None:
    """Raise RequestError where too few clips were made."""
    hint = "raise `evaluate.generated`"
    check_count(metric, clips, "generated", hint, least=least)


def mean_vectors(clips: mk.ClipSet, embedding: mk.Embedding) -> Tensor:
    """Return a vector for each clip [n, d], the mean over its windows, in double precision."""
    vectors = [found.double().mean(0) for found in clips.vectors(embedding)]
    return torch.stack(vectors) if vectors else torch.zeros(0, embedding.features).double()


def order_by_value(vectors: Sequence[Tensor]) -> list[int]:
    """Return the numbers of clips in an order that does not depend on the one they come in."""
    means = [found.double().mean(0).tolist() for found in vectors]
    return sorted(range(len(means)), key=means.__getitem__)


def format_count(number: int, what: str) -> str:
    """Return a number of things: `1 clip`, `2 clips`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
