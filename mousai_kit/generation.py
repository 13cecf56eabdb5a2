"""Generation: prompts become tagged audio files with mel pictures beside them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from mousai_kit import __version__, audio, estimate
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.errors import RequestError
from mousai_kit.interfaces import Request
from mousai_kit.training import autocast

SAFE_SHARE = 0.9
"""Share of the free memory that a clip may be estimated to take."""


@dataclass(frozen=True, slots=True)
class Order:
    """A prompt to be made into one clip."""

    prompt: str
    seed: int
    seconds: float
    guidance: float

    @property
    def stem(self) -> str:
        """Return a file name without suffix: safe on any system, whatever the prompt holds."""
        plain = unicodedata.normalize("NFKD", self.prompt).encode("ascii", "ignore").decode()
        words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:48].strip("-")
        return f"{words or 'clip'}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Made:
    """A clip on the disk."""

    path: Path
    picture: Path
    prompt: str
    seed: int
    reused: bool


def orders(
    prompts: Sequence[str], *, seed: int, count: int, seconds: float, guidance: float
) -> list[Order]:
    """Return what to make: each prompt with the seeds `seed` .. `seed + count - 1`.

    RequestError where there is no prompt, or a number is out of range.
    """
    if not prompts:
        raise RequestError("there is no prompt; give one or more, or a file of them with --prompts")
    if not (math.isfinite(seconds) and seconds > 0):
        raise RequestError(f"--seconds: must be a number above 0 (got {seconds:g})")
    if not (math.isfinite(guidance) and guidance >= 0):
        raise RequestError(f"--guidance: must be a number of 0 or more (got {guidance:g})")
    if count < 1:
        raise RequestError(f"--count: must be 1 or more (got {count})")
    if seed < 0:
        raise RequestError(f"--seed: must be 0 or more (got {seed})")
    return [
        Order(prompt, seed + number, seconds, guidance)
        for prompt in prompts
        for number in range(count)
    ]


class Generator:
    """Makes clips with a trained cascade."""

    def __init__(self, cascade: Cascade, *, tags: dict[str, str], precision: str) -> None:
        self.cascade, self.precision = cascade, precision
        self.tags = {**tags, "software": f"mousai-kit {__version__}"}
        self.device = next(cascade.top.parameters()).device

    def make(
        self, wanted: Sequence[Order], *, folder: Path, suffix: str, batch: int, screen: Screen
    ) -> list[Made]:
        """Return the clips, those that are there already from the same weights included."""
        check_memory(self.cascade, max(order.seconds for order in wanted), batch)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.{suffix}" for name in _distinct(wanted)]
        pairs = list(zip(wanted, paths, strict=True))
        missing = [(order, path) for order, path in pairs if not self._is_made(order, path)]
        steps = sum(self.cascade.evaluations.values())
        with screen.bar("generating", len(missing) * steps) as bar:
            for group in _groups(missing, batch):
                wave = self._generated(
                    [order for order, _ in group], partial(bar.advance, len(group))
                )
                for (order, path), clip in zip(group, wave, strict=True):
                    self._save(order, path, clip)
        fresh = {path for _, path in missing}
        return [
            Made(path, path.with_suffix(".png"), order.prompt, order.seed, path not in fresh)
            for order, path in pairs
        ]

    def _generated(self, group: Sequence[Order], tick: Callable[[], None]) -> Tensor:
        """Return audio [b, c, t] for orders of one length and guidance."""
        samples = round(group[0].seconds * self.cascade.audio.sample_rate)
        request = Request(
            prompts=[order.prompt for order in group],
            seeds=[order.seed for order in group],
            samples=max(1, samples),
            guidance=group[0].guidance,
            progress=tick,
        )
        with out_of_memory_told(group[0].seconds), autocast(self.device, self.precision):
            return self.cascade.generate(request).float().cpu()

    def _save(self, order: Order, path: Path, wave: Tensor) -> None:
        rate = self.cascade.audio.sample_rate
        audio.write(path, wave, sample_rate=rate, tags=self._tags(order))
        audio.picture(path.with_suffix(".png"), {order.prompt: wave}, sample_rate=rate)

    def _tags(self, order: Order) -> dict[str, str]:
        return {
            **self.tags,
            "title": " ".join(order.prompt.split())[:120],
            "prompt": order.prompt,
            "seed": str(order.seed),
            "seconds": f"{order.seconds:g}",
            "guidance": f"{order.guidance:g}",
        }

    def _is_made(self, order: Order, path: Path) -> bool:
        """Return whether a file is what this order would make again."""
        if not (path.is_file() and path.with_suffix(".png").is_file()):
            return False
        found = audio.tags_of(path)
        return all(found.get(name) == text for name, text in self._tags(order).items())


def check_memory(cascade: Cascade, seconds: float, batch: int) -> None:
    """Raise RequestError where clips of this length would not fit into memory."""
    free = estimate.available_bytes()
    samples = round(seconds * cascade.audio.sample_rate)
    if free is None:
        return
    needed = max(
        estimate.generation_bytes(stage, samples=samples, batch=2 * batch) or 0
        for stage in cascade.stages.values()
    )
    if needed > SAFE_SHARE * free:
        fits = seconds * SAFE_SHARE * free / needed
        raise RequestError(
            f"--seconds: {seconds:g} s would take about {needed / 2**30:.1f} GiB of memory and "
            f"{free / 2**30:.1f} GiB are free; up to about {fits:.0f} s fit"
        )


class out_of_memory_told:  # noqa: N801 - reads as a clause: `with out_of_memory_told(...)`
    """Turns a failed allocation into one line."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
            isinstance(error, RuntimeError) and "allocate memory" in str(error)
        )
        if memory:
            raise RequestError(
                f"--seconds: {self.seconds:g} s do not fit into memory; ask for less"
            ) from None


def _groups(
    pairs: Sequence[tuple[Order, Path]], batch: int
) -> Iterator[Sequence[tuple[Order, Path]]]:
    for first in range(0, len(pairs), batch):
        yield pairs[first : first + batch]


def _distinct(wanted: Sequence[Order]) -> list[str]:
    """Return file names in order; equal ones get a number."""
    names: list[str] = []
    for order in wanted:
        name, number = order.stem, 2
        while name in names:
            name, number = f"{order.stem}-{number}", number + 1
        names.append(name)
    return names
