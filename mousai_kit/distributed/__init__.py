"""Ranks: the processes that a launcher (torchrun, accelerate) started to work together.

A rank is one of them, the first is the main one. A process that was started alone is a
`Communicator` of one, which needs no network and imports nothing for it.
"""

from functools import cache

from mousai_kit.core.rank import Rank, unmanaged_launcher
from mousai_kit.distributed.failures import (
    RankError,
    install_sigterm_handler,
    name_failed_ranks,
    should_report,
)
from mousai_kit.distributed.ranks import Communicator

__all__ = [
    "Communicator",
    "Rank",
    "RankError",
    "init_distributed",
    "install_sigterm_handler",
    "name_failed_ranks",
    "should_report",
    "unmanaged_launcher",
]


@cache
def init_distributed(kind: str) -> Communicator:
    """Return all processes of the launch, joined to work on devices of a kind (`cpu`, `cuda`).

    A process that was started alone is all there is.
    """
    if Rank.here().alone:
        return Communicator()
    from mousai_kit.distributed.process_group import DistributedCommunicator

    return DistributedCommunicator(Rank.here(), kind)
