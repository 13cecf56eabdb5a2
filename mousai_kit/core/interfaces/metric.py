"""Metric: a figure for how near audio is to the audio that it should be."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

from torch import Tensor

from mousai_kit.core.component import Component, Options


class Metric(Component):
    """Compares what an autoencoder makes of a clip with the clip. Built with `sample_rate` (Hz).

    What is generated from text has no clip of its own to be compared with: the report judges a
    generator by its loss.
    """

    kind: ClassVar[str] = "metric"
    build_kwargs: ClassVar[tuple[str, ...]] = ("sample_rate",)

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
