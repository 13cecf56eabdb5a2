"""Exponential moving average of weights, as the authors' trainer keeps it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class EMA:
    """A second copy of a module's learned weights that follows the first slowly.

    After step s it moves by 1 - min(decay, 1 - (1 + s)^-power) (ema-pytorch's power law): after
    each of the first `every` steps, then once in `every` steps.
    """

    def __init__(self, module: nn.Module, *, decay: float, power: float, every: int = 1) -> None:
        self.decay, self.power, self.every = decay, power, every
        self._live = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.weights = {name: p.detach().clone() for name, p in self._live.items()}
        self._swapped = False

    @property
    def average(self) -> Mapping[str, Tensor]:
        """Return the averaged weights by name; none while they are the module's own (`swap`)."""
        return {} if self._swapped else self.weights

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the live weights after step `step` (the first is 1)."""
        if step > self.every and step % self.every:
            return
        decay = min(self.decay, 1 - (1 + step) ** -self.power)
        live = [p.detach() for p in self._live.values()]
        torch._foreach_lerp_(list(self.weights.values()), live, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average with the live weights; a second call undoes it."""
        for name, parameter in self._live.items():
            live = parameter.detach().clone()
            parameter.copy_(self.weights[name])
            self.weights[name].copy_(live)
        self._swapped = not self._swapped

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Take over saved averages."""
        for name, weight in self.weights.items():
            weight.copy_(weights[name])
