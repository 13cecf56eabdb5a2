"""Ranks: the processes that a launcher (torchrun, accelerate) started to work together.

A rank is one of them, the first is the main one. A process that was started alone is a `Ranks` of
one, which needs no network and imports nothing for it.
"""

from mousai_kit.ranks.alone import Ranks
from mousai_kit.ranks.ending import RankError, heed_the_launcher, mine_to_tell, named
from mousai_kit.ranks.launch import joined
from mousai_kit.ranks.rank import Rank, strangers

__all__ = [
    "Rank",
    "RankError",
    "Ranks",
    "heed_the_launcher",
    "joined",
    "mine_to_tell",
    "named",
    "strangers",
]
