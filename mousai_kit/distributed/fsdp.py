"""Shards: weights of which each process keeps a part (FSDP2, `torch.distributed.fsdp`).

accelerate's launch options say which modules are gathered one at a time; on a CPU, where
accelerate itself would not shard, too.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map_only


def fsdp_enabled() -> bool:
    """Return whether `accelerate launch --use_fsdp` started this process."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def shard(module: nn.Module, device: torch.device, count: int) -> nn.Module:
    """Leave each process a part of the weights of a module; those of one block are together."""
    from accelerate import FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
    if named := plugin.transformer_cls_names_to_wrap:  # of all stages, of which this is one
        there = {type(inner).__name__ for inner in module.modules()}
        plugin.transformer_cls_names_to_wrap = [name for name in named if name in there]
    plugin.set_auto_wrap_policy(module)
    is_block = plugin.auto_wrap_policy or (lambda *_, **__: False)
    options: dict[str, Any] = {"mesh": init_device_mesh(device.type, (count,))}
    for inner in reversed([*module.modules()][1:]):
        size = sum(parameter.numel() for parameter in inner.parameters())
        if is_block(inner, recurse=False, nonwrapped_numel=size):
            inner.register_forward_hook(_no_view)
            fully_shard(inner, reshard_after_forward=plugin.reshard_after_forward, **options)
    fully_shard(module, **options)
    return module


def full_tensor(tensor: Tensor, *, keep: bool) -> Tensor:
    """Return a tensor whole, on the CPU; an empty one where this process does not `keep` it."""
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu() if keep else full.new_empty(0)


def shard_like(tensor: Tensor, like: Tensor | None) -> Tensor:
    """Return this process's part of a tensor, as it has it of another one."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def _no_view(module: nn.Module, given: Any, made: Any) -> Any:
    """Return copies where a block made views: what then changed one in place would undo FSDP's
    hook on it, and the block's gradient would be wrong.
    """
    return tree_map_only(
        Tensor, lambda tensor: tensor.clone() if tensor._is_view() else tensor, made
    )
