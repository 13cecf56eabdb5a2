"""Sharing: whether a recipe's stages can be trained by so many processes."""

from __future__ import annotations

from collections.abc import Iterator

from mousai_kit.errors import Problem, RecipeError
from mousai_kit.ranks import Ranks
from mousai_kit.recipe import Recipe


def check_shared(recipe: Recipe, ranks: Ranks) -> None:
    """Raise RecipeError where processes can't take equal parts of a batch, or of the weights."""
    if faults := [*_faults(recipe, ranks)]:
        raise RecipeError(*faults)


def _faults(recipe: Recipe, ranks: Ranks) -> Iterator[Problem]:
    count = ranks.own.count
    for name, stage in recipe.stages.items():
        train = stage.train
        if train.batch % count:
            yield from recipe.fault(
                ("stages", name, "train", "batch"),
                f"is shared by {count} processes: must be a multiple of {count} "
                f"(got {train.batch})",
            ).problems
        if ranks.sharded and train.precision == "fp16":
            yield from recipe.fault(
                ("stages", name, "train", "precision"),
                "fp16 does not go with FSDP, where each process has a part of the weights; "
                "use bf16, or launch without --use_fsdp",
            ).problems
