"""The place that a launcher gave this process among others, as its environment says."""

from __future__ import annotations

import os
from dataclasses import dataclass

COUNTS = {
    "SLURM_STEP_NUM_TASKS": "srun",
    "OMPI_COMM_WORLD_SIZE": "mpirun",
    "PMI_SIZE": "mpirun",
}
"""Where those that start a command several times say how often; they introduce nobody."""


@dataclass(frozen=True, slots=True)
class Rank:
    """Process `index` of `count`, number `local` of those on its machine."""

    index: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def here(cls) -> Rank:
        """Return the place that torchrun or accelerate gave; alone where they gave none."""
        given = os.environ
        names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        if not all(name in given for name in names):
            return cls()
        index = int(given["RANK"])
        return cls(index, int(given["WORLD_SIZE"]), int(given.get("LOCAL_RANK", index)))

    @property
    def main(self) -> bool:
        """Return whether this is the process that writes and talks."""
        return self.index == 0

    @property
    def alone(self) -> bool:
        """Return whether there is no other process."""
        return self.count == 1


def unmanaged_launcher() -> str:
    """Return, in a few words, who started this command several times without a launcher; or ""."""
    given = os.environ
    for name, starter in COUNTS.items():
        if Rank.here().alone and given.get(name, "").isdecimal() and int(given[name]) > 1:
            return f"`{starter}` started this command {given[name]} times"
    return ""
