"""Validation: the loss on held-out clips, told the right thing, a wrong one and nothing."""

from __future__ import annotations

import torch

from mousai_kit.interfaces import Condition, NoiseSource, Stage
from mousai_kit.loading import Clips
from mousai_kit.seeds import derive

CONDITIONS: tuple[Condition, ...] = ("right", "other", "none")
GROUP = 8
"""Clips evaluated at a time."""


@torch.no_grad()
def losses(
    stage: Stage, clips: Clips, *, seed: int, precision: str, at_least: int = 32
) -> dict[str, float]:
    """Return the loss with the right, another clip's and no condition, over at least 32 draws.

    The same noise serves all three, and the same seed gives the same noise. A single clip has no
    other, which is then left out.
    """
    device = next(stage.parameters()).device
    group = min(len(clips), GROUP)
    rounds = -(-at_least // group)
    totals = {it: 0.0 for it in CONDITIONS if group > 1 or it != "other"}
    for number in range(rounds):
        drawn = [clips.clip((number * group + i) % len(clips), number) for i in range(group)]
        signal = torch.stack([clip.wave for clip in drawn]).to(device)
        texts = [clip.text for clip in drawn]
        for condition in totals:
            noise = NoiseSource([derive(seed, "held out", number, i) for i in range(group)])
            with autocast(device, precision):
                loss = stage.loss(signal, texts, noise=noise, condition=condition)
            totals[condition] += loss.float().mean().item() / rounds
    return {str(condition): total for condition, total in totals.items()}


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a recipe's `precision` holds."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
