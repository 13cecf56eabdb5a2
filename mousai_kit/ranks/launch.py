"""Launch: this process joins the others that its launcher started, once."""

from __future__ import annotations

from functools import cache

from mousai_kit.ranks.alone import Ranks
from mousai_kit.ranks.rank import Rank


@cache
def joined(kind: str) -> Ranks:
    """Return all processes of the launch, joined to work on devices of a kind (`cpu`, `cuda`).

    A process that was started alone is all there is.
    """
    if Rank.here().alone:
        return Ranks()
    from mousai_kit.ranks.together import Together

    return Together(Rank.here(), kind)
