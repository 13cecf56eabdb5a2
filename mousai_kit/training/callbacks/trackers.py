"""Trackers: programs and services in which trainings are compared, by name."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mousai_kit.recipe import Recipe
from mousai_kit.training.callbacks.base import Callback

INSTALLED_BY = {"tensorboard": "'mousai-kit[tensorboard]'", "wandb": "wandb"}
"""What pip installs for each."""


def missing(name: str) -> str:
    """Return what to do where a tracker is not installed; empty where it is."""
    if find_spec(name) is not None:
        return ""
    return f"{name} is not installed: pip install {INSTALLED_BY[name]}"


def tracker(name: str, recipe: Recipe, stage: str, *, folder: Path) -> Callback:
    """Return what reports the training of a stage; files lie in the run's folder."""
    if name == "tensorboard":
        from mousai_kit.training.callbacks.tensorboard import TensorBoard

        return TensorBoard(folder / "tensorboard" / stage, recipe.to_yaml())

    from mousai_kit.training.callbacks.wandb import WandbLogger

    return WandbLogger(folder, recipe, stage)
