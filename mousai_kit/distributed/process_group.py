"""Ranks of several processes: accelerate over torch.distributed."""

from __future__ import annotations

import atexit
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from mousai_kit.core.rank import Rank
from mousai_kit.distributed import fsdp
from mousai_kit.distributed.failures import RankError, leave
from mousai_kit.distributed.ranks import Communicator

PATIENCE = timedelta(days=2)
"""How long processes wait where one alone has something to do: to encode a library, say."""


class DistributedCommunicator(Communicator):
    """Processes that a launcher started, joined in one group.

    What accelerate was configured for decides how they learn. Values are exchanged on the CPU, in
    a group of its own, where a process may be waited for as long as its work takes.
    """

    def __init__(self, own: Rank, kind: str) -> None:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

        super().__init__(own)
        _share_cores(own)
        whole = DistributedDataParallelKwargs(broadcast_buffers=False, find_unused_parameters=True)
        with self.report_lost_peer():
            self._accelerator = Accelerator(
                cpu=kind == "cpu",
                mixed_precision="no",  # the recipe's `precision` decides
                kwargs_handlers=[whole, InitProcessGroupKwargs()],
            )
            self._talk = distributed.new_group(backend="gloo", timeout=PATIENCE)
        warnings.filterwarnings("ignore", "Grad strides do not match")  # of a kernel of one weight
        atexit.register(self.leave)

    def device(self, device: torch.device) -> torch.device:
        """Return the GPU of this process's number on its machine, or the CPU."""
        if device.type != "cuda" or device.index is not None:
            return device
        return torch.device("cuda", self.own.local)

    def all_gather(self, value: Any) -> list[Any]:
        """Return what each process says, JSON values, in their order."""
        said: list[Any] = [None] * self.own.count
        with self.report_lost_peer():
            distributed.all_gather_object(said, json.dumps(value), group=self._talk)
        return [json.loads(text) for text in said]

    def barrier(self) -> None:
        """Wait until all have come to this point."""
        with self.report_lost_peer():
            distributed.barrier(group=self._talk)

    @property
    def is_sharded(self) -> bool:
        """Return whether each process keeps a part of the weights that are learned."""
        return fsdp.fsdp_enabled()

    def full_tensors(
        self, tensors: Mapping[str, Tensor], *, keep: bool = True
    ) -> Mapping[str, Tensor]:
        """Return tensors whole, of which each process has a part; useless where not kept."""
        if not self.is_sharded:
            return tensors
        with self.report_lost_peer():
            return {name: fsdp.full_tensor(tensor, keep=keep) for name, tensor in tensors.items()}

    def shard_like(self, tensor: Tensor, like: Tensor | None) -> Tensor:
        """Return this process's part of a tensor, as it has it of another one."""
        with self.report_lost_peer():
            return fsdp.shard_like(tensor, like)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module in accelerate's wrapper, which exchanges gradients in `backward`."""
        if self.is_sharded:
            with self.report_lost_peer():
                return fsdp.shard(module, self._accelerator.device, self.own.count)
        with self.report_lost_peer(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")
            return self._accelerator.prepare(module)

    def no_sync(self, module: nn.Module) -> AbstractContextManager[None]:
        """Return a context in which gradients are not exchanged; parts are, to save memory."""
        return nullcontext() if self.is_sharded else self._accelerator.no_sync(module)

    def leave(self) -> None:
        """End the group, when all have come to their end: whose connection closes takes others."""
        leave()
        if distributed.is_initialized():
            distributed.destroy_process_group()

    @contextmanager
    def report_lost_peer(self) -> Iterator[None]:
        """Turn what the network raises where a process is gone into a RankError."""
        try:
            yield
        except RuntimeError as error:
            if not _of_the_network(error):
                raise
            raise RankError() from None


def _of_the_network(error: RuntimeError) -> bool:
    """Return whether an error is of the connection between processes."""
    known = ("gloo", "NCCL", "Connection", "onnect() timed out", "Timed out")
    return isinstance(error, distributed.DistError) or any(sign in str(error) for sign in known)


def _share_cores(own: Rank) -> None:
    """Take this process's share of the cores, unless its launcher has said how many threads.

    accelerate would do so, but not on machines that do not tell their number of cores.
    """
    if os.environ.get("OMP_NUM_THREADS"):
        return
    here = int(os.environ.get("LOCAL_WORLD_SIZE", own.count))
    threads = max(1, (os.cpu_count() or 1) // here)
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)
