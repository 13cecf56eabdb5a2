"""The place that a launcher gave this process among others, as its environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Process `index` of `count`, number `local` of those on its machine."""

    index: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def told(cls, environment: Mapping[str, str]) -> Place:
        """Return the place that torchrun or accelerate told; alone where they told none."""
        names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        if not all(name in environment for name in names):
            return cls()
        index, count = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        return cls(index, count, int(environment.get("LOCAL_RANK", index)))

    @property
    def main(self) -> bool:
        """Return whether this is the process that writes and talks."""
        return self.index == 0

    @property
    def alone(self) -> bool:
        """Return whether there is no other process."""
        return self.count == 1


PLACE = Place.told(os.environ)
"""This process's own."""
