"""Evaluation: does the system listen to its latents and to its text? Figures and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import torch
from torch import Tensor

from mousai_kit import audio
from mousai_kit.core.interfaces import Clip, GenerationRequest, Metric
from mousai_kit.core.seeds import derive_seed
from mousai_kit.evaluation.tables import cell, markdown_table
from mousai_kit.models.cascade import Cascade
from mousai_kit.training.validation import CONDITIONS

VARIANTS = ("trained", "untrained", "other")
"""Decoded by the trained stage; by a fresh one; by the trained one from another clip's latent,
where there is another clip."""
DRAFT = "draft"
"""Decoded by the stage that the trained one begins from, where there is one."""
Losses = Mapping[str, Mapping[str, Mapping[str, float]]]
"""stage -> split -> caption -> loss."""


@dataclass(frozen=True, slots=True)
class ReconstructionScores:
    """How well a stage that encodes brings clips back."""

    stage: str
    split: str
    sources: list[str]
    scores: dict[str, dict[str, list[float]]]
    """metric -> way -> a score per clip."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Compares decoded with real audio, for trained, untrained and mistaken decoding."""

    trained: Cascade
    untrained: Cascade
    metrics: Sequence[Metric]
    _: KW_ONLY
    seed: int
    tick: Callable[[], None]
    window: int | None = None

    def decode(
        self, name: str, split: str, clips: Sequence[Clip], pictures: Path
    ) -> ReconstructionScores:
        """Return the scores of stage `name` on clips, and draw what was heard."""
        wave = torch.stack([clip.wave for clip in clips])
        device = next(self.trained.top.parameters()).device
        with torch.no_grad():
            latents = self.trained.encode_to(wave.to(device), name, window=self.window)
            fresh = self.untrained.encode_to(wave.to(device), name, window=self.window)
            ways = {
                "trained": self._down(self.trained, name, latents, clips),
                "untrained": self._down(self.untrained, name, fresh, clips),
            }
            if len(clips) > 1:
                ways["other"] = self._down(self.trained, name, latents.roll(1, 0), clips)
            if (draft := drafting(self.trained, name)) is not None:
                ways[DRAFT] = self._down(draft, name, latents, clips)
        for number, clip in enumerate(clips):
            panels = {
                f"real: {clip.text or clip.source}": wave[number],
                f"decoded by {name}": ways["trained"][number],
            }
            if "other" in ways:
                panels["decoded from another clip's latents"] = ways["other"][number]
            path = pictures / f"{name}-{split}-{number + 1}.png"
            rate = self.trained.audio.sample_rate
            strips = {title: audio.StreamingMel.of(wave, rate) for title, wave in panels.items()}
            audio.plot_mels(path, strips)
        return ReconstructionScores(
            name, split, [Path(clip.source).name for clip in clips], self._scores(ways, wave)
        )

    def _down(self, cascade: Cascade, name: str, latents: Tensor, clips: Sequence[Clip]) -> Tensor:
        """Return the audio of latents; a stage that hears text is told the clips' captions."""
        seeds = [derive_seed(self.seed, "evaluation", number) for number in range(len(clips))]
        prompts = [clip.text if cascade.stages[name].hears_text else "" for clip in clips]
        samples = clips[0].wave.shape[-1]
        order = GenerationRequest(prompts, seeds, samples, window=self.window, progress=self.tick)
        return cascade.decode(latents, order, top=name).float().cpu()

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


def drafting(cascade: Cascade, name: str) -> Cascade | None:
    """Return the cascade with what stage `name` begins from in its place; None without it."""
    refines = cascade.stages[name].refines
    if refines is None:
        return None
    return Cascade(cascade.audio, cascade.stages | {name: refines}, cascade.precision)


def worse_than_drafts(
    decoded: Sequence[ReconstructionScores], better: Mapping[str, str]
) -> list[str]:
    """Return a line for each figure by which held-out clips sound worse refined than drafted.

    `better` says of each metric whether a lower score is better, or a higher one.
    """
    lines = []
    for part, metric in ((stage, metric) for stage in decoded for metric in stage.scores):
        ways = part.scores[metric]
        if part.split != "validation" or DRAFT not in ways:
            continue
        refined, draft = (sum(ways[way]) / len(ways[way]) for way in ("trained", DRAFT))
        if refined > draft if better[metric] == "lower" else refined < draft:
            lines.append(
                f"{part.stage}: refining makes held-out clips worse: {metric} {refined:.2f}, "
                f"of the draft alone {draft:.2f}; train longer, begin at less noise (`start`), or "
                "play the draft (`refine: false`)"
            )
    return lines


def render_markdown(
    title: str,
    decoded: Sequence[ReconstructionScores],
    losses: Losses,
    units: Mapping[str, str],
) -> str:
    """Return the report as Markdown."""
    lines = [f"# {title}", ""]
    for part in decoded:
        for metric, ways in part.scores.items():
            unit = f" ({units[metric]})" if units[metric] else ""
            lines += [f"## {part.stage}: {metric}{unit}, {part.split} clips", ""]
            lines += [markdown_table(["clip", *ways], _rows(part.sources, ways)), ""]
    if losses:
        lines += ["## Validation loss of stages that follow a text", ""]
        head = ["stage", "clips", "right caption", "another's", "none"]
        lines += [markdown_table(head, loss_rows(losses)), ""]
    return "\n".join(lines)


def _rows(sources: Sequence[str], ways: Mapping[str, Sequence[float]]) -> list[list[str]]:
    """Return a row a clip and one of means."""
    cells = [cell(source) for source in sources]
    rows = [
        [text, *(f"{scores[number]:z.2f}" for scores in ways.values())]
        for number, text in enumerate(cells)
    ]
    means = [f"**{sum(scores) / len(sources):z.2f}**" for scores in ways.values()]
    return [*rows, ["**mean**", *means]]


def loss_rows(losses: Losses) -> list[list[str]]:
    """Return a row for each stage and split: the loss by caption, the right one, another, none."""
    return [
        [stage, split, *(f"{values[way]:.4f}" if way in values else "-" for way in CONDITIONS)]
        for stage, splits in losses.items()
        for split, values in splits.items()
    ]
