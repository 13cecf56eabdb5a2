"""Phases: stages inside a stage, which are trained before it, each alone."""

from __future__ import annotations

from mousai_kit.recipe.schema import Recipe, StageRecipe
from mousai_kit.recipe.train_options import INSIDE, Train


def phases(recipe: Recipe, stage: str) -> list[str]:
    """Return the trainings that come before a stage's own: `autoencoder/draft`.

    There are none where complete weights are given: they have all that is inside.
    """
    part = recipe.stages[stage]
    given = part.weights is not None and not part.partial
    return [] if given else [f"{stage}{INSIDE}{name}" for name in part.inner]


def for_training(recipe: Recipe, name: str) -> Recipe:
    """Return the recipe in which a training is a stage: of a phase it has those below, then it."""
    owner, _, inner = name.partition(INSIDE)
    if not inner or name in recipe.stages:
        return recipe
    names, part = list(recipe.stages), recipe.stages[owner]
    below = {item: recipe.stages[item] for item in names[: names.index(owner)]}
    alone = StageRecipe.model_construct(model=part.inner[inner], train=settings(part, inner))
    return recipe.part({**below, name: alone})


def trainings(recipe: Recipe, stage: str) -> list[tuple[Recipe, str]]:
    """Return the trainings that a stage takes in their order, each with the recipe that has it."""
    return [(for_training(recipe, phase), phase) for phase in [*phases(recipe, stage), stage]]


def settings(part: StageRecipe, inner: str) -> Train:
    """Return how a stage inside another is trained."""
    return part.first.get(inner) or Train.model_validate({})
