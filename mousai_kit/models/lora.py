"""LoRA: a product of two thin matrices is learned beside each weight (Hu et al., 2021).

Legend: o outputs, c inputs, k the kernel's frames (none of a linear layer), r rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod, sqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mousai_kit.core.interfaces import UNet
from mousai_kit.core.seeds import derive_seed
from mousai_kit.recipe import Lora, Recipe
from mousai_kit.recipe.patterns import match_names

Pairs = dict[str, tuple[Tensor, Tensor]]
"""A [r, c, k] and B [o, r, 1] of each layer, by its name; no k and no 1 for a linear layer."""


class LoRAParametrization(nn.Module):
    """Adds scale * B A to a weight [o, c, k]; B is 0 at first, so that nothing changes."""

    def __init__(self, weight: Tensor, *, rank: int, scale: float, seed: int) -> None:
        super().__init__()
        ones = [1] * (weight.dim() - 2)
        bound = 1 / sqrt(prod(weight.shape[1:]))  # as of the layer itself
        drawn = torch.rand(rank, *weight.shape[1:], generator=torch.Generator().manual_seed(seed))
        self.scale = scale
        self.lora_A = nn.Parameter(((2 * drawn - 1) * bound).to(weight))
        self.lora_B = nn.Parameter(torch.zeros(weight.shape[0], rank, *ones).to(weight))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight and what is added to it, in the weight's precision."""
        with torch.autocast(weight.device.type, enabled=False):
            return add_low_rank(weight, self.lora_A, self.lora_B, self.scale)


def add_low_rank(weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """Return weight + scale * B A."""
    return weight + scale * (b.flatten(1) @ a.flatten(1)).view_as(weight)


def eligible_layers(stage: nn.Module) -> dict[str, nn.Module]:
    """Return the layers of a stage that an adapter can go on, by name.

    They are linear or convolve, their weight is saved with the stage, and no other layer has it.
    """
    owners = Counter(
        id(parameter)
        for module in stage.modules()
        for parameter in module.parameters(recurse=False)
    )
    saved = stage.state_dict().keys()
    return {
        name: module
        for name, module in stage.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)
        and getattr(module, "groups", 1) == 1
        and f"{name}.weight" in saved
        and owners[id(module.weight)] == 1
    }


def target_layers(recipe: Recipe, name: str, stage: nn.Module) -> list[str]:
    """Return the layers that get an adapter; RecipeError where a pattern of `on` matches none."""
    lora, known = recipe.stages[name].lora, eligible_layers(stage)
    assert lora is not None
    place = ("stages", name, "lora")
    if lora.on is not None:
        return match_names(lora.on, known, recipe=recipe, place=(*place, "on"), what="layer")
    if found := [item for item in _usual(stage) if item in known]:
        return found
    raise recipe.error_at(place, "the stage has no U-Net with layers for it; name some with `on`")


def attach(stage: nn.Module, names: list[str], lora: Lora, *, seed: int) -> None:
    """Give layers an adapter each; all else of the stage stays as it is."""
    stage.requires_grad_(False)
    for name in names:
        layer = stage.get_submodule(name)
        weight = cast("Tensor", layer.weight)
        adapter = LoRAParametrization(
            weight, rank=lora.rank, scale=lora.scale, seed=derive_seed(seed, "lora", name)
        )
        parametrize.register_parametrization(layer, "weight", adapter, unsafe=True)


def detach(stage: nn.Module) -> Pairs:
    """Take the adapters off again, and return them; the weights are as they were given."""
    pairs: Pairs = {}
    for name, layer in list(stage.named_modules()):
        if parametrize.is_parametrized(layer, "weight"):
            adapter = cast("LoRAParametrization", layer.get_submodule("parametrizations.weight.0"))
            pairs[name] = adapter.lora_A.detach(), adapter.lora_B.detach()
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    return pairs


def _usual(stage: nn.Module) -> Iterator[str]:
    """Yield the convolutions of U-Nets, and the linear layers of what is called attention there."""
    for name, network in stage.named_modules():
        if not isinstance(network, UNet):
            continue
        for inner, module in network.named_modules():
            parent = network.get_submodule(inner.rpartition(".")[0])
            attention = "attention" in type(parent).__name__.lower()
            if attention or isinstance(module, nn.Conv1d | nn.Conv2d):
                yield f"{name}.{inner}" if name else inner
