"""Checks of a recipe that need its parts, built: all that `run` refuses before the first step."""

from __future__ import annotations

from collections.abc import Callable

from mousai_kit.core.component import Component
from mousai_kit.core.errors import MousaiError, Problem, RecipeError
from mousai_kit.core.interfaces import Sampler, SetMetric, TextMetric, UNet
from mousai_kit.generation.generate import check_prompts
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.shapes import check_shapes
from mousai_kit.recipe import Recipe
from mousai_kit.training.callbacks import check_callbacks
from mousai_kit.training.finetuning import check_finetuning

Check = Callable[[Recipe, Cascade], None]


def check_run(recipe: Recipe, cascade: Cascade) -> list[str]:
    """Return what of a recipe `run` would leave out; RecipeError where it would refuse it."""
    return _check(recipe, cascade, check_prompts, *TRAINING)


def check_training(recipe: Recipe, cascade: Cascade) -> list[str]:
    """Return what a training would leave out; RecipeError where it can't be what is asked for."""
    return _check(recipe, cascade, *TRAINING)


def check_metrics(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where a metric can't measure the recipe's audio."""
    faults: list[Problem] = []
    for number, metric in enumerate(recipe.evaluate.metrics):
        place = ("evaluate", "metrics", number)
        if told := _why_not_judged(recipe, cascade, metric.component):
            faults += recipe.error_at(place, told).problems
        try:
            metric.build(sample_rate=recipe.audio.sample_rate)
        except MousaiError as error:
            faults += recipe.error_at(place, str(error)).problems
    if faults:
        raise RecipeError(*faults)


def _why_not_judged(recipe: Recipe, cascade: Cascade, metric: type[Component]) -> str:
    """Return why a metric of clips made from text can't have any; empty where it can."""
    if not issubclass(metric, SetMetric | TextMetric):
        return ""
    if not cascade.top.hears_text:
        return (
            f"'{metric.name}' judges clips made from text, and the top stage, {cascade.top.name}, "
            "makes none; leave it out"
        )
    return why_no_genres(recipe, metric)


def why_no_genres(recipe: Recipe, metric: type[Component]) -> str:
    """Return why a metric that needs genres has too few in a recipe; empty where it has enough."""
    needs = issubclass(metric, SetMetric) and metric.needs_genres
    if not needs or len(recipe.evaluate.genres) > 1:
        return ""
    return (
        f"'{metric.name}' sorts clips by genre; name prompts for two genres or more: "
        "`evaluate.prompts: {Metal: [Death Metal], Pop: [Synth Pop]}`"
    )


def check_jumps(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where a stage's sampler jumps, and no network of it has learned to."""
    faults: list[Problem] = []
    for name, stage in cascade.stages.items():
        can = any(module.jumps for module in stage.modules() if isinstance(module, UNet))
        samplers = [value for value in vars(stage).values() if isinstance(value, Sampler)]
        faults += [
            problem
            for sampler in samplers
            if sampler.jumps and not can
            for problem in recipe.error_at(
                ("stages", name, "model"),
                f"sampler '{sampler.name}' jumps from level to level, which no network of "
                f"'{stage.name}' takes a target for; use another sampler, or a network that does",
            ).problems
        ]
    if faults:
        raise RecipeError(*faults)


TRAINING: tuple[Check, ...] = (
    check_callbacks,
    check_finetuning,
    check_metrics,
    check_jumps,
    check_shapes,
)


def _check(recipe: Recipe, cascade: Cascade, *checks: Check) -> list[str]:
    """Return what is left out; RecipeError with what is wrong by any of the checks."""
    faults: list[Problem] = []
    for check in checks:
        try:
            check(recipe, cascade)
        except RecipeError as error:
            faults += error.problems
    if faults:
        raise RecipeError(*faults)
    encodes = any(stage.latent_space is not None for stage in cascade.stages.values())
    of_sets = SetMetric | TextMetric
    pairs = [
        metric for metric in recipe.evaluate.metrics if not issubclass(metric.component, of_sets)
    ]
    if encodes or not pairs:
        return []
    told = "measures nothing here: no stage encodes audio, so that no clip can be brought back"
    return [str(recipe.error_at(("evaluate", "metrics"), told))]
