"""Trackers: programs and services in which trainings are compared, by name."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mousai_kit.recipe import Recipe
from mousai_kit.training.observing import Observer

INSTALLED_BY = {"tensorboard": "'mousai-kit[tensorboard]'", "wandb": "wandb"}
"""What pip installs for each."""


def missing(name: str) -> str:
    """Return what to do where a tracker is not installed; empty where it is."""
    if find_spec(name) is not None:
        return ""
    return f"{name} is not installed: pip install {INSTALLED_BY[name]}"


def tracker(name: str, recipe: Recipe, stage: str, *, folder: Path) -> Observer:
    """Return what reports the training of a stage; files lie in the run's folder."""
    if name == "tensorboard":
        from mousai_kit.training.showing.tensorboard import TensorBoard

        return TensorBoard(folder / "tensorboard" / stage, recipe.dump())
    from mousai_kit.training.showing.weights_and_biases import WeightsAndBiases

    return WeightsAndBiases(folder, recipe, stage)
