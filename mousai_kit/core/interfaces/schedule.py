"""Schedule: how much signal and how much noise at each level."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component, Options


class Schedule(Component):
    """Mixes signal and noise: x = alpha * signal + beta * noise, with alpha^2 + beta^2 = 1.

    The level sigma runs from 0 (the signal) to 1 (noise). The velocity that networks predict is
    v = alpha * noise - beta * signal (Salimans & Ho, 2022).
    """

    kind: ClassVar[str] = "schedule"
    build_kwargs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: Options) -> None: ...

    @abstractmethod
    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and beta, each of sigma's shape, type and device, for sigma [...] in [0, 1].

        From 0 to 1 alpha falls strictly from 1 to 0 and beta rises from 0 to 1. A level's weights
        depend on nothing but the level.
        """

    def levels(self, steps: int) -> Tensor:
        """Return the levels [steps + 1] of a sampler's steps, from 1 falling strictly to exactly 0.

        They are a new tensor on the CPU, of floats, the same in every call. A sampler may follow
        them over another schedule's weights: as `levels: <name>` in a recipe.
        """
        return torch.linspace(1, 0, steps + 1)
