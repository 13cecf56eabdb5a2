"""Ranks: what all processes of a launch are asked for, and the answers where there is only one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from mousai_kit.core.rank import Rank

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")


class Communicator:
    """The processes that work together, as one of them sees them: here it is alone.

    All but `own`, `main`, `share` and `part` must be called by every process, in the same order.
    """

    def __init__(self, own: Rank | None = None) -> None:
        self.own = own or Rank()

    @property
    def main(self) -> bool:
        """Return whether this is the process that writes and talks."""
        return self.own.main

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return those of some items that are this process's to do."""
        return items[self.own.index :: self.own.count]

    def part(self, count: int) -> range:
        """Return which of `count` places of a batch are this process's; it divides them."""
        size = count // self.own.count
        return range(self.own.index * size, (self.own.index + 1) * size)

    def device(self, device: torch.device) -> torch.device:
        """Return this process's own of the devices of a kind."""
        return device

    def all_gather(self, value: Any) -> list[Any]:
        """Return what each process says, JSON values, in their order."""
        return [value]

    def barrier(self) -> None:
        """Wait until all have come to this point."""

    def first(self, work: Callable[[], object]) -> None:
        """Let the main process do something, while the others wait for it."""
        if self.main:
            work()
        self.barrier()

    def in_turn(self, work: Callable[[], T]) -> T:
        """Let the main process do something, then the others, who may find it done."""
        if not self.main:
            self.barrier()
        result = work()
        if self.main:
            self.barrier()
        return result

    @property
    def is_sharded(self) -> bool:
        """Return whether each process keeps a part of the weights that are learned."""
        return False

    def full_tensors(
        self, tensors: Mapping[str, Tensor], *, keep: bool = True
    ) -> Mapping[str, Tensor]:
        """Return tensors whole, of which each process has a part; useless where not kept."""
        return tensors

    def shard_like(self, tensor: Tensor, like: Tensor | None) -> Tensor:
        """Return this process's part of a tensor, as it has it of another one."""
        return tensor

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return a module whose gradients, after `backward`, are the mean over all processes."""
        return module

    def no_sync(self, module: nn.Module) -> AbstractContextManager[None]:
        """Return a context in which gradients of such a module are added up, but not exchanged."""
        return nullcontext()

    def report_lost_peer(self) -> AbstractContextManager[None]:
        """Return a context in which a process that does not answer is a RankError."""
        return nullcontext()
