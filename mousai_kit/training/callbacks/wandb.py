"""Weights & Biases, through accelerate's tracker: sent to the service, or kept with WANDB_MODE."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.tracking import WandBTracker
from matplotlib.image import imread

from mousai_kit.recipe import Recipe
from mousai_kit.training.callbacks.base import Callback, TrainerView, flatten


class WandbLogger(Callback):
    """Reports to a run of a project that is called as the recipe; a resumed training goes on in
    its run, where steps that are there already are passed over.
    """

    name, task = "wandb", "reporting to wandb"

    def __init__(self, folder: Path, recipe: Recipe, stage: str) -> None:
        self.folder, self.recipe, self.stage = folder, recipe, stage
        self.id = secrets.token_hex(4)
        self.tracker: Any = None  # once training has begun, a WandBTracker

    def on_train_start(self, training: TrainerView) -> None:
        """Open the run."""
        PartialState()  # which accelerate's trackers ask how to log
        self.tracker = WandBTracker(
            self.recipe.name,
            dir=str(self.folder),
            id=self.id,
            name=f"{self.recipe.name} {self.stage}",
            resume="allow",
        )
        self.tracker.start()
        self.tracker.store_init_configuration(self.recipe.to_dict())

    def log(self, training: TrainerView, values: Mapping[str, Any]) -> None:
        """Report what is logged of a step."""
        self.tracker.log(flatten(values), step=training.step)

    def on_demo(self, training: TrainerView, demos: Sequence[Path]) -> None:
        """Report demos."""
        import wandb

        for path in demos:
            tag = f"demo/{path.stem}"
            self.tracker.log({tag: wandb.Audio(str(path))}, step=training.step)
            pictures = {f"{tag} mel": [imread(path.with_suffix(".png"))]}
            self.tracker.log_images(pictures, step=training.step)

    def on_train_end(self, training: TrainerView) -> None:
        """Close the run."""
        if self.tracker is not None:
            self.tracker.finish()

    def state(self) -> dict[str, Any]:
        """Return which run it is."""
        return {"id": self.id}

    def load(self, state: dict[str, Any]) -> None:
        """Go on with the run of before."""
        self.id = state.get("id", self.id)
