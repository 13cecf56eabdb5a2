"""Embedding: what turns clips into vectors, which metrics of sets compare."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from mousai_kit.core.component import Component, Options
from mousai_kit.core.errors import RequestError


class Embedding(Component, nn.Module):
    """Turns clips into vectors: near ones sound alike. Built with `sample_rate` (Hz).

    A network that is learned elsewhere and stays as it is, or none at all. Figures that rest on
    different embeddings can't be compared with each other: a metric names its own. The same clip
    has the same vectors always, alone or in a batch.
    """

    kind: ClassVar[str] = "embedding"
    build_kwargs: ClassVar[tuple[str, ...]] = ("sample_rate",)

    features: int
    """Size of a vector."""
    labels: tuple[str, ...] = ()
    """What a vector's numbers are the probabilities of; empty where they are none."""
    classifies: ClassVar[bool] = False
    """Whether a vector is a classifier's posterior over `labels`."""
    reads_text: ClassVar[bool] = False
    """Whether `embed_text` puts text into the same space."""

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        super().__init__()
        self.options, self.sample_rate = options, sample_rate

    @abstractmethod
    def forward(self, wave: Tensor) -> Tensor:
        """Return vectors [b, n, features], float32, of audio [b, c, t]: one or more of each clip.

        Finite, for silence too; n depends on t alone. Clips of any length and number of channels
        are taken.
        """

    def embed_text(self, prompts: Sequence[str]) -> Tensor:
        """Return vectors [b, features] of texts; RequestError where it reads none."""
        raise RequestError(f"the embedding '{self.name}' reads no text; use one that does: clap")

    def download(self) -> None:
        """Fetch what it is made of, so that it is there; default: nothing.

        Called before anything that takes long. WeightsError where it can't be had.
        """
