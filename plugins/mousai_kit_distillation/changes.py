"""Changes of a network's weights: what a distilled stage adds to its teacher's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from math import prod, sqrt
from typing import TypeVar

import torch
from torch import Tensor, nn

import mousai_kit.api as mk

T = TypeVar("T")


class WeightChanges(nn.Module):
    """Adds a change to each weight of a stage's networks: whole, or of a rank as in LoRA.

    All are 0 at first. What is no network (a text encoder, statistics) stays as it is.
    """

    def __init__(self, stage: nn.Module, *, rank: int | None) -> None:
        super().__init__()
        self.names = [*_network_parameters(stage)]
        self.whole, self.down, self.up = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        for name in self.names:
            weight, key = stage.get_parameter(name), _key(name)
            inputs = prod(weight.shape[1:])
            if rank is None or weight.dim() < 2 or rank >= min(len(weight), inputs):
                self.whole[key] = nn.Parameter(torch.zeros(weight.shape))
            else:
                self.down[key] = nn.Parameter(torch.randn(rank, inputs) / sqrt(inputs))
                self.up[key] = nn.Parameter(torch.zeros(len(weight), rank))

    def weights(self, stage: nn.Module) -> dict[str, Tensor]:
        """Return a stage's changed weights by name; gradients reach the changes."""
        with mk.without_autocast(next(self.parameters()).device):
            return {name: stage.get_parameter(name) + self._of(name, stage) for name in self.names}

    def ask(self, stage: mk.Stage, question: Callable[[], T]) -> T:
        """Return `question()` as the stage answers it with changed weights."""
        return stage.with_weights(self.weights(stage), question)

    @torch.no_grad()
    def changed_copy(self, stage: mk.Stage) -> mk.Stage:
        """Return a copy of a stage with changed weights; it shares what does not change."""
        changed = copy.deepcopy(stage, {id(part): part for part in self._parts_to_share(stage)})
        for name, weight in self.weights(stage).items():
            changed.get_parameter(name).copy_(weight)
        return changed.eval()

    def _of(self, name: str, stage: nn.Module) -> Tensor:
        key = _key(name)
        if key in self.whole:
            return self.whole[key]
        return (self.up[key] @ self.down[key]).view_as(stage.get_parameter(name))

    def _parts_to_share(self, stage: nn.Module) -> Iterator[nn.Module | Tensor]:
        """Yield the parts of a stage in which no weight changes."""
        for place, module in stage.named_modules():
            if not any(name.startswith(f"{place}.") or not place for name in self.names):
                yield module
        yield from (weight for name, weight in stage.named_parameters() if name not in self.names)


def _network_parameters(stage: nn.Module) -> Iterator[str]:
    """Yield the names of the weights of a stage's own networks; of no stage inside it."""
    for place, module in stage.named_modules():
        inside = (stage.get_submodule(above) for above in _above(place))
        if isinstance(module, mk.UNet) and not any(isinstance(part, mk.Stage) for part in inside):
            yield from (f"{place}.{name}" for name, _ in module.named_parameters())


def _above(place: str) -> Iterator[str]:
    """Yield the names of the modules around one, but for the whole."""
    words = place.split(".")
    return (".".join(words[:end]) for end in range(1, len(words)))


def _key(name: str) -> str:
    """Return a parameter's name as one word, which no dot parts."""
    return name.replace(".", "/")
