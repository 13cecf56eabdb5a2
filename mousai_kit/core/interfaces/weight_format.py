"""Weight format: how another project names a stage's weights, so that they go in and out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from torch import Tensor

from mousai_kit.core.component import Component, Options, Use
from mousai_kit.core.interfaces.stage import Stage


class NamePair(NamedTuple):
    """One tensor's name here and there."""

    ours: str
    theirs: str
    conv1x1: bool = False
    """Theirs has one more axis at the end, of length 1: a convolution for our linear layer."""


@dataclass(frozen=True, slots=True)
class TensorNames:
    """How another project names the tensors of one stage."""

    pairs: Sequence[NamePair]
    """Each tensor that both have; one of ours may be several of theirs, all alike, never the
    other way round. Every tensor of ours is in a pair or in `defaults`."""
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    """Theirs that hold nothing learned (a window), and what they hold, on the CPU."""
    defaults: Mapping[str, Tensor] = field(default_factory=dict)
    """Ours that they lack, and values, on the CPU, with which our stage does what theirs does."""
    foreign: tuple[str, ...] = ()
    """How names of theirs begin that belong to no stage (a frozen text encoder's)."""


class WeightFormat(Component):
    """Says how another project names a stage's weights, for `import` and `export`.

    Both tensors of a pair have the same shape, or the pair is `conv1x1`.
    """

    kind: ClassVar[str] = "weight_format"
    build_kwargs: ClassVar[tuple[str, ...]] = ()
    recipe: ClassVar[str] = "mousai-64x"
    """The shipped recipe of a run that its weights make, where none is named."""

    def __init__(self, options: Options) -> None: ...

    @abstractmethod
    def faults(self, model: Use[Stage]) -> Iterable[tuple[Sequence[str | int], str]]:
        """Yield (place among the options, what is wrong) where the project has no such network."""

    def files(self, model: Use[Stage]) -> Mapping[str, str]:
        """Return the files of the project's folders that hold a stage, by their paths inside.

        What is said to each is put before its tensors' names, to tell those of several files apart.
        Default: none are known, and a user names the stage and its one file.
        """
        return {}

    @abstractmethod
    def layouts(self, model: Use[Stage], stage: Stage) -> Sequence[TensorNames]:
        """Return the ways in which the project names the stage's tensors, the usual one first.

        `stage` is `model`, built, on any device: the meta device too.
        """
