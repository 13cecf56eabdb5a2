"""Evaluation: does the system listen to its latents and to its text? Figures and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mousai_kit import audio
from mousai_kit.cascade import Cascade
from mousai_kit.interfaces import Clip, Metric, Request
from mousai_kit.precision import autocast
from mousai_kit.seeds import derive
from mousai_kit.training.validation import CONDITIONS

WAYS = ("trained", "untrained", "other")
"""Decoded by the trained stage; by a fresh one; by the trained one from another clip's latent,
where there is another clip."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """How well a stage that encodes brings clips back."""

    stage: str
    split: str
    sources: list[str]
    scores: dict[str, dict[str, list[float]]]
    """metric -> way -> a score per clip."""


class Evaluation:
    """Compares decoded with real audio, for trained, untrained and mistaken decoding."""

    def __init__(
        self,
        trained: Cascade,
        untrained: Cascade,
        metrics: Sequence[Metric],
        *,
        precision: str,
        seed: int,
        tick: Callable[[], None],
        window: int | None = None,
    ) -> None:
        self.trained, self.untrained, self.metrics = trained, untrained, metrics
        self.precision, self.seed, self.tick = precision, seed, tick
        self.window = window
        self.device = next(trained.top.parameters()).device

    def decode(self, name: str, split: str, clips: Sequence[Clip], pictures: Path) -> Decoded:
        """Return the scores of stage `name` on clips, and draw what was heard."""
        wave = torch.stack([clip.wave for clip in clips])
        with torch.no_grad(), autocast(self.device, self.precision):
            latents = self.trained.latents(wave.to(self.device), name, window=self.window)
            fresh = self.untrained.latents(wave.to(self.device), name, window=self.window)
            ways = {
                "trained": self._down(self.trained, name, latents, wave),
                "untrained": self._down(self.untrained, name, fresh, wave),
            }
            if len(clips) > 1:
                ways["other"] = self._down(self.trained, name, latents.roll(1, 0), wave)
        for number, clip in enumerate(clips):
            panels = {
                f"real: {clip.text or clip.source}": wave[number],
                f"decoded by {name}": ways["trained"][number],
            }
            if "other" in ways:
                panels["decoded from another clip's latents"] = ways["other"][number]
            path = pictures / f"{name}-{split}-{number + 1}.png"
            rate = self.trained.audio.sample_rate
            strips = {title: audio.MelStrip.of(wave, rate) for title, wave in panels.items()}
            audio.picture(path, strips)
        return Decoded(
            name, split, [Path(clip.source).name for clip in clips], self._scores(ways, wave)
        )

    def _down(self, cascade: Cascade, name: str, latents: Tensor, wave: Tensor) -> Tensor:
        seeds = [derive(self.seed, "evaluation", number) for number in range(len(wave))]
        order = Request([""] * len(wave), seeds, wave.shape[-1], window=self.window)
        return cascade.decode(latents, replace(order, progress=self.tick), top=name).float().cpu()

    def _scores(
        self, ways: Mapping[str, Tensor], wave: Tensor
    ) -> dict[str, dict[str, list[float]]]:
        return {
            metric.name: {
                way: [
                    round(metric.score(made[i : i + 1], wave[i : i + 1]), 3)
                    for i in range(len(wave))
                ]
                for way, made in ways.items()
            }
            for metric in self.metrics
        }


def document(
    title: str,
    decoded: Sequence[Decoded],
    losses: Mapping[str, Mapping[str, dict[str, float]]],
    units: Mapping[str, str],
) -> str:
    """Return the report as Markdown."""
    lines = [f"# {title}", ""]
    for part in decoded:
        for metric, ways in part.scores.items():
            unit = f" ({units[metric]})" if units[metric] else ""
            lines += [f"## {part.stage}: {metric}{unit}, {part.split} clips", ""]
            lines += _table(["clip", *ways], _rows(part.sources, ways))
    if losses:
        lines += ["## Validation loss of stages that follow a text", ""]
        rows = [
            [stage, split, *(f"{values[way]:.4f}" if way in values else "-" for way in CONDITIONS)]
            for stage, splits in losses.items()
            for split, values in splits.items()
        ]
        lines += _table(["stage", "clips", "right caption", "another's", "none"], rows)
    return "\n".join(lines)


def _rows(sources: Sequence[str], ways: Mapping[str, Sequence[float]]) -> list[list[str]]:
    """Return a row a clip and one of means."""
    rows = [
        [_cell(source), *(f"{scores[number]:.2f}" for scores in ways.values())]
        for number, source in enumerate(sources)
    ]
    means = [f"**{sum(scores) / len(sources):.2f}**" for scores in ways.values()]
    return [*rows, ["**mean**", *means]]


def _cell(text: str) -> str:
    """Return text that can't break a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    ruled = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(str, row)) + " |" for row in ruled] + [""]
