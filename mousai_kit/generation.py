"""Generation: prompts become tagged audio files with mel pictures beside them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from mousai_kit import __version__, audio
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.errors import RequestError, shown
from mousai_kit.interfaces import Request
from mousai_kit.memory import check_disk, check_memory
from mousai_kit.playing import Player, Recording, recorded
from mousai_kit.ranks import Ranks

STRICTEST = 1000
"""Guidance beyond which there are only infinities."""
A_DAY = 24 * 60 * 60
"""Seconds that a clip may last."""
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
        """Return a file name without suffix."""
        return f"{file_name(self.prompt)}-{self.seed}"


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
    _check_types(prompts, seed=seed, count=count, seconds=seconds, guidance=guidance)
    if not prompts:
        raise RequestError("there is no prompt; give one or more, or a file of them with --prompts")
    if not 0 < seconds < math.inf:
        raise RequestError(f"--seconds: must be a number above 0 (got {seconds:g})")
    if seconds > A_DAY:
        raise RequestError(f"--seconds: must be at most {A_DAY}, a day (got {seconds:g})")
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


def _check_types(prompts: Sequence[str], **numbers: float) -> None:
    """Raise RequestError where a caller gives what is no text, or no number."""
    if isinstance(prompts, str | bytes | Mapping) or not isinstance(prompts, Sequence):
        raise RequestError(f"prompts must be a list of texts (got {shown(prompts)})")
    if others := [prompt for prompt in prompts if not isinstance(prompt, str)]:
        raise RequestError(f"a prompt must be text (got {shown(others[0])})")
    for name, value in numbers.items():
        whole = name in ("seed", "count")
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            told = "a whole number" if whole else "a number"
            raise RequestError(f"--{name}: must be {told} (got {shown(value)})")


def _printable(prompt: str) -> str:
    """Return a prompt as a file's tags can hold it: without what is no text."""
    return prompt.replace("\0", " ").encode(errors="replace").decode()


class Generator:
    """Makes clips with a trained cascade, in windows of so many samples."""

    def __init__(
        self,
        cascade: Cascade,
        *,
        tags: dict[str, str],
        precision: str,
        window: int | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.cascade, self.window, self.ranks = cascade, window, ranks or Ranks()
        self.tags = {**tags, "software": f"mousai-kit {__version__}"}
        device = next(cascade.top.parameters()).device
        self.player = Player(cascade.audio, device=device, precision=precision)

    def make(
        self, wanted: Sequence[Order], *, folder: Path, suffix: str, batch: int, screen: Screen
    ) -> list[Made]:
        """Return the clips, those that are there already from the same weights included.

        Processes that work together share those that are missing.
        """
        longest = max(wanted, key=lambda order: order.seconds)
        check_memory(self.cascade, self._request([longest] * batch, batch))
        paths = _paths(wanted, folder, suffix)
        pairs = list(zip(wanted, paths, strict=True))
        missing = [(order, path) for order, path in pairs if not self._is_made(order, path)]
        self.ranks.wait()  # until each knows what is missing
        mine = self.ranks.share(missing)
        groups = [mine[first : first + batch] for first in range(0, len(mine), batch)]
        requests = [self._request([order for order, _ in group], batch) for group in groups]
        check_disk(folder, self.cascade.audio, requests)
        folder.mkdir(parents=True, exist_ok=True)
        total = sum(len(it.prompts) * self.cascade.reports(it) for it in requests)
        with screen.bar("generating", total) as bar:
            for group, request in zip(groups, requests, strict=True):
                tick = partial(bar.advance, len(group))
                self._record(group, replace(request, progress=tick))
        self.ranks.wait()
        fresh = {path for _, path in missing}
        return [
            Made(path, path.with_suffix(".png"), order.prompt, order.seed, path not in fresh)
            for order, path in pairs
        ]

    def heard(self, wanted: Sequence[Order], *, batch: int, screen: Screen) -> list[Tensor]:
        """Return the clips [c, t] in memory, float32 on the CPU: as `make` writes them."""
        groups = [wanted[first : first + batch] for first in range(0, len(wanted), batch)]
        requests = [self._request(group, batch) for group in groups]
        check_memory(self.cascade, requests[0])
        total = sum(len(it.prompts) * self.cascade.reports(it) for it in requests)
        clips: list[Tensor] = []
        with screen.bar("generating", total) as bar:
            for request in requests:
                told = replace(request, progress=partial(bar.advance, len(request.prompts)))
                pieces = self.player.heard(self.cascade.play(told), told)
                clips += torch.cat([*pieces], -1)
        return clips

    def tags_of(self, order: Order) -> dict[str, str]:
        """Return what a clip's file says of where it comes from."""
        return {
            **self.tags,
            "title": " ".join(order.prompt.split())[:120],
            "prompt": order.prompt,
            "seed": str(order.seed),
            "seconds": f"{order.seconds:g}",
            "guidance": f"{order.guidance:g}",
        }

    def _request(self, group: Sequence[Order], batch: int) -> Request:
        """Return what to ask of the cascade for orders of one length and guidance."""
        return Request(
            prompts=[order.prompt for order in group],
            seeds=[order.seed for order in group],
            samples=max(1, round(group[0].seconds * self.cascade.audio.sample_rate)),
            guidance=group[0].guidance,
            window=self.window,
            together=max(1, batch // len(group)),
        )

    def _record(self, group: Sequence[tuple[Order, Path]], request: Request) -> None:
        """Make the clips of some orders, and write them when the last piece has come."""
        with ExitStack() as stack:
            recordings = [
                stack.enter_context(Recording(path, self.cascade.audio, request.samples))
                for _, path in group
            ]
            for piece in self.player.heard(self.cascade.play(request), request):
                for recording, clip in zip(recordings, piece, strict=True):
                    recording.add(clip)
            for (order, _), recording in zip(group, recordings, strict=True):
                recording.finish(order.prompt, self.tags_of(order))

    def _is_made(self, order: Order, path: Path) -> bool:
        """Return whether a file is what this order would make again."""
        return recorded(path, self.tags_of(order))


def file_name(text: str) -> str:
    """Return a file name without suffix: safe on any system, whatever the text holds."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:48].strip("-") or "clip"


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
