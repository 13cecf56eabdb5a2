"""Generation: prompts become tagged audio files with mel pictures beside them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from mousai_kit import __version__, audio
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.errors import RequestError
from mousai_kit.interfaces import Request
from mousai_kit.memory import check_memory, out_of_memory_told
from mousai_kit.training.validation import autocast

STRICTEST = 1000
"""Guidance beyond which there are only infinities."""
MOST = 10_000
"""Clips that are made at a time for each prompt, at most."""


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
    if not 0 < seconds < math.inf:
        raise RequestError(f"--seconds: must be a number above 0 (got {seconds:g})")
    if not 0 <= guidance <= STRICTEST:
        raise RequestError(f"--guidance: must be a number from 0 to {STRICTEST} (got {guidance:g})")
    if not 1 <= count <= MOST:
        raise RequestError(f"--count: must be 1 to {MOST} (got {count})")
    if seed < 0:
        raise RequestError(f"--seed: must be 0 or more (got {seed})")
    return [
        Order(_printable(prompt), seed + number, seconds, guidance)
        for prompt in prompts
        for number in range(count)
    ]


def _printable(prompt: str) -> str:
    """Return a prompt as a file's tags can hold it: without what is no text."""
    return prompt.replace("\0", " ").encode(errors="replace").decode()


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
        paths = _paths(wanted, folder, suffix)
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
        told = f"--seconds: {group[0].seconds:g} s do not fit into memory; ask for less"
        with out_of_memory_told(told), autocast(self.device, self.precision):
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
        return all(found.get(name, "") == text for name, text in self._tags(order).items())


def _groups(
    pairs: Sequence[tuple[Order, Path]], batch: int
) -> Iterator[Sequence[tuple[Order, Path]]]:
    for first in range(0, len(pairs), batch):
        yield pairs[first : first + batch]


def _paths(wanted: Sequence[Order], folder: Path, suffix: str) -> list[Path]:
    """Return a file for each order, numbered where its name is another prompt's already."""
    taken: dict[Path, None] = {}
    for order in wanted:
        path, number = folder / f"{order.stem}.{suffix}", 2
        while path in taken or _is_another(path, order):
            path, number = folder / f"{order.stem}-{number}.{suffix}", number + 1
        taken[path] = None
    return list(taken)


def _is_another(path: Path, order: Order) -> bool:
    """Return whether a file is there that must not be replaced: no clip of this prompt and seed."""
    if not path.exists():
        return False
    found = audio.tags_of(path)
    return (found.get("prompt", ""), found.get("seed")) != (order.prompt, str(order.seed))
