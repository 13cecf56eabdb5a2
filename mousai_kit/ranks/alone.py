"""Ranks of one: what all processes are asked for, where there is only this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from mousai_kit.ranks.place import Place

if TYPE_CHECKING:
    import torch
    from torch import nn

T = TypeVar("T")


class Ranks:
    """The processes that work together, as one of them sees them: here it is alone.

    All but `place`, `main` and `share` must be called by every process, in the same order.
    """

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()

    @property
    def main(self) -> bool:
        """Return whether this is the process that writes and talks."""
        return self.place.main

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return those of some items that are this process's to do."""
        return items[self.place.index :: self.place.count]

    def part(self, count: int) -> range:
        """Return which of `count` places of a batch are this process's; it divides them."""
        size = count // self.place.count
        return range(self.place.index * size, (self.place.index + 1) * size)

    def device(self, device: torch.device) -> torch.device:
        """Return this process's own of the devices of a kind."""
        return device

    def gathered(self, value: Any) -> list[Any]:
        """Return what each process says, JSON values, in their order."""
        return [value]

    def wait(self) -> None:
        """Wait until all have come to this point."""

    def first(self, work: Callable[[], None]) -> None:
        """Let the main process do something, while the others wait for it."""
        if self.main:
            work()
        self.wait()

    def in_turn(self, work: Callable[[], T]) -> T:
        """Let the main process do something, then the others, who may find it done."""
        if not self.main:
            self.wait()
        result = work()
        if self.main:
            self.wait()
        return result

    def learned_together(self, module: nn.Module) -> nn.Module:
        """Return a module whose gradients, after `backward`, are the mean over all processes."""
        return module

    def apart(self, module: nn.Module) -> AbstractContextManager[None]:
        """Return a context in which gradients of such a module are added up, but not exchanged."""
        return nullcontext()

    def heard(self) -> AbstractContextManager[None]:
        """Return a context in which a process that does not answer is a RankError."""
        return nullcontext()
