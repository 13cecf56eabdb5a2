"""Metric: a figure for how near two sets of clips are."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

from torch import Tensor

from mousai_kit.component import Component, Options


class Metric(Component):
    """Compares generated clips with real ones. Built with `sample_rate` (Hz)."""

    kind: ClassVar[str] = "metric"
    wiring: ClassVar[tuple[str, ...]] = ("sample_rate",)

    unit: ClassVar[str]
    """Unit of the score, empty for a plain number."""
    better: ClassVar[Literal["lower", "higher"]]
    """Which way is better."""

    def __init__(self, options: Options, *, sample_rate: int) -> None: ...

    @abstractmethod
    def score(self, generated: Tensor, reference: Tensor) -> float:
        """Return the score of audio [b, c, t] against the reference, of the same shape.

        A finite number, for silence too. The reference itself scores best; every clip, channel and
        moment counts. The same sounds score the same always, and stay as they are.
        """
