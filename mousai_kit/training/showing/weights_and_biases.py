"""Weights & Biases, through accelerate's tracker: sent to the service, or kept with WANDB_MODE."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate import PartialState
from accelerate.tracking import WandBTracker
from matplotlib.image import imread

from mousai_kit.recipe import Recipe
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


class WeightsAndBiases(Observer):
    """Reports to a run of a project that is called as the recipe; a resumed training goes on in
    its run, where steps that are there already are passed over.
    """

    name = "wandb"

    def __init__(self, folder: Path, recipe: Recipe, stage: str) -> None:
        self.folder, self.recipe, self.stage = folder, recipe, stage
        self.id = secrets.token_hex(4)
        self._tracker: WandBTracker | None = None

    @property
    def tracker(self) -> WandBTracker:
        """What reports, once training has begun."""
        assert self._tracker is not None
        return self._tracker

    def begun(self, training: Training) -> None:
        """Open the run."""
        PartialState()  # which accelerate's trackers ask how to log
        self._tracker = WandBTracker(
            self.recipe.name,
            dir=str(self.folder),
            id=self.id,
            name=f"{self.recipe.name} {self.stage}",
            resume="allow",
        )
        self._tracker.start()
        self._tracker.store_init_configuration(self.recipe.values())

    def stepped(self, training: Training, taken: Taken) -> None:
        """Report a step's figures."""
        told = {"loss": taken.loss, "gradient_norm": taken.gradient_norm}
        self._tell(training, {**told, "learning_rate": training.rate})

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Report a validation's losses."""
        self._tell(training, {f"validation/{it}": loss for it, loss in losses.items()})

    def warned(self, training: Training, warning: str) -> None:
        """Report a warning."""
        self._tell(training, {"warning": warning})

    def demonstrated(self, training: Training, demos: Sequence[Path]) -> None:
        """Report demos."""
        import wandb

        for path in demos:
            tag = f"demo/{path.stem}"
            self._tell(training, {tag: wandb.Audio(str(path))})
            pictures = {f"{tag} mel": [imread(path.with_suffix(".png"))]}
            self.tracker.log_images(pictures, step=training.step)

    def ended(self, training: Training) -> None:
        """Close the run."""
        if self._tracker is not None:
            self._tracker.finish()

    def state(self) -> dict[str, Any]:
        """Return which run it is."""
        return {"id": self.id}

    def load(self, state: dict[str, Any]) -> None:
        """Go on with the run of before."""
        self.id = state.get("id", self.id)

    def _tell(self, training: Training, values: dict[str, Any]) -> None:
        self.tracker.log(values, step=training.step)
