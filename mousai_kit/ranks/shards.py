"""Shards: weights of which each process keeps a part (FSDP2, `torch.distributed.fsdp`).

accelerate's launch options say which modules are gathered one at a time; on a CPU, where
accelerate itself would not shard, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map_only


def wanted() -> bool:
    """Return whether `accelerate launch --use_fsdp` started this process."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def shard(module: nn.Module, device: torch.device, count: int) -> nn.Module:
    """Leave each process a part of the weights of a module; those of one block are together."""
    from accelerate import FullyShardedDataParallelPlugin
    from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy

    plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
    if named := plugin.transformer_cls_names_to_wrap:  # of all stages, of which this is one
        there = {type(inner).__name__ for inner in module.modules()}
        plugin.transformer_cls_names_to_wrap = [name for name in named if name in there]
    plugin.set_auto_wrap_policy(module)
    is_block = fsdp2_prepare_auto_wrap_policy(plugin, module) or (lambda _: False)
    options: dict[str, Any] = {"mesh": init_device_mesh(device.type, (count,))}
    for inner in reversed([*module.modules()][1:]):
        if is_block(inner):
            inner.register_forward_hook(_no_view)
            fully_shard(inner, reshard_after_forward=plugin.reshard_after_forward, **options)
    fully_shard(module, **options)
    return module


def whole(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Return tensors whole, on the CPU; empty ones where this process does not `keep` them."""
    return {name: _whole(tensor, keep) for name, tensor in tensors.items()}


def parted(tensor: Tensor, like: Tensor | None) -> Tensor:
    """Return this process's part of a tensor, as it has it of another one."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def _no_view(module: nn.Module, given: Any, made: Any) -> Any:
    """Return copies where a block made views: what then changed one in place would undo FSDP's
    hook on it, and the block's gradient would be wrong.
    """
    return tree_map_only(Tensor, lambda it: it.clone() if it._is_view() else it, made)


def _whole(tensor: Tensor, keep: bool) -> Tensor:
    found = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found.detach().cpu() if keep else found.new_empty(0)
