"""Speed of a system: the time and the peak memory of one clip, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

WARM_UP = 1.0
"""Seconds of the clip that is made before the clock starts."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What making one clip takes, its weights loaded."""

    audio_seconds: float
    """Length of the clip."""
    seconds: float
    """Time from the request to the whole clip."""
    peak_memory: int
    """Bytes that the process held at most, its libraries and the weights included; on a GPU, the
    GPU's."""
    device: str
    threads: int

    @property
    def real_time_factor(self) -> float:
        """Return the time that a second of audio takes; below 1 is faster than it plays."""
        return self.seconds / self.audio_seconds


def measure_speed(target: str, seconds: float, overrides: Sequence[str] = ()) -> Speed:
    """Return what a clip of so many seconds takes here; all else is the recipe's.

    RequestError where the system makes nothing from text.
    """
    import torch

    from mousai_kit.generation.trained import load
    from mousai_kit.models.memory import peak_bytes, synchronise

    pipeline = load(target, overrides, quiet=True)
    device = next(pipeline.top.parameters()).device
    prompt = next(iter(pipeline.recipe.generate.texts), "music")
    pipeline.generate(prompt, seconds=min(WARM_UP, seconds))
    synchronise(device)
    start = time.perf_counter()
    made = pipeline.generate(prompt, seconds=seconds)
    taken = time.perf_counter() - start
    return Speed(made.seconds, taken, peak_bytes(device), str(device), torch.get_num_threads())


def measure_speed_alone(target: str, seconds: float, overrides: Sequence[str] = ()) -> Speed | str:
    """Return `measure_speed`'s result in a fresh process, or in a line why there is none."""
    words = [sys.executable, "-W", "ignore", "-m", __name__, target, str(seconds), *overrides]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return last[0]
    return Speed(**json.loads(done.stdout.splitlines()[-1]))


def print_speed(words: Sequence[str]) -> int:
    """Print what `measure_speed` says as JSON; a mistake as a line, with exit code 2."""
    from mousai_kit.core.errors import MousaiError

    target, seconds, *overrides = words
    try:
        found: dict[str, Any] = asdict(measure_speed(target, float(seconds), overrides))
    except MousaiError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(print_speed(sys.argv[1:]))
