"""Layout: which crop stands in which shard, told by arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

GROUP = 8
"""Crops encoded at a time. A shard holds whole groups, so that its bytes depend on no other's."""
SHARD_BYTES = 64 * 2**20
"""Size of a shard's latents, at most: what an encoding that is ended at any instant has to redo."""
SHARD_CROPS = 1024
"""Crops in a shard, at most, however small they are."""

Place = tuple[int, int]
"""A crop: the number of its clip in the dataset, and the pass (an epoch) in which it is drawn."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`passes` crops of each of `clips` clips. A shard holds neighbours of one pass.

    A further pass is further shards: those of the passes before stay as they are.
    """

    clips: int
    passes: int
    per_shard: int

    @classmethod
    def of(cls, clips: int, passes: int, *, crop_bytes: int) -> Layout:
        """Return the layout for crops of so many bytes."""
        most = min(SHARD_BYTES // crop_bytes, SHARD_CROPS)
        return cls(clips, passes, max(GROUP, most // GROUP * GROUP))

    @property
    def shards(self) -> int:
        """Return the number of shards."""
        return self.passes * self._per_pass

    @property
    def groups(self) -> int:
        """Return the number of groups that are encoded."""
        return self.passes * -(-self.clips // GROUP)

    def clips_of(self, shard: int) -> range:
        """Return the clips whose crops stand in a shard."""
        first = shard % self._per_pass * self.per_shard
        return range(first, min(first + self.per_shard, self.clips))

    def epoch(self, shard: int) -> int:
        """Return the pass that a shard belongs to."""
        return shard // self._per_pass

    def groups_in(self, shard: int) -> int:
        """Return the number of groups in a shard."""
        return -(-len(self.clips_of(shard)) // GROUP)

    def groups_of(self, shard: int) -> Iterator[list[Place]]:
        """Yield the places that are encoded together."""
        clips, epoch = self.clips_of(shard), self.epoch(shard)
        for first in range(0, len(clips), GROUP):
            yield [(clip, epoch) for clip in clips[first : first + GROUP]]

    def find(self, place: Place) -> tuple[int, int]:
        """Return a crop's shard and its position within."""
        clip, epoch = place
        return epoch * self._per_pass + clip // self.per_shard, clip % self.per_shard

    @property
    def _per_pass(self) -> int:
        return -(-self.clips // self.per_shard)
