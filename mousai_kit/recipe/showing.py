"""What a training shows beside its table: demos, and trackers that it reports to."""

from __future__ import annotations

from typing import Literal

from mousai_kit.component import Field, Options

Tracker = Literal["tensorboard", "wandb"]
KEYS = ("demo", "track")
"""Keys of a recipe that only say what is shown of a training: they decide nothing that it makes."""


class Demo(Options):
    """What is heard during training: music from fixed prompts, or held-out clips brought back."""

    every: int | None = Field(
        None, ge=1, description="training steps between demos; null: none are made"
    )
    prompts: list[str] | None = Field(
        None, description="texts to make music from; null: the first two of `generate`"
    )
    clips: int = Field(
        1, ge=1, description="held-out clips that a stage which encodes audio brings back"
    )
    seconds: float | None = Field(
        None, gt=0, description="length of a demo; null: that of `generate`, 10 at most"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of a demo's noise, always the same")
