"""Recipes: YAML + extends + --set -> values that remember file:line -> a validated Recipe."""

from mousai_kit.core.packaged import RECIPE
from mousai_kit.recipe.distil import DistillationOptions, teacher_or_model
from mousai_kit.recipe.evaluate_options import Evaluate
from mousai_kit.recipe.fingerprint import (
    diff_paths,
    model_key,
    stage_fingerprint_values,
    stage_hash,
)
from mousai_kit.recipe.generate_options import Generate
from mousai_kit.recipe.loading import load_recipe, recipe_from_yaml, with_sampler_steps
from mousai_kit.recipe.phases import for_training, phases, trainings
from mousai_kit.recipe.requirements import RUNS
from mousai_kit.recipe.schema import (
    Audio,
    Demo,
    Recipe,
    StageRecipe,
    fingerprint,
)
from mousai_kit.recipe.shipped import copy_destination, copy_shipped, shipped_recipes
from mousai_kit.recipe.train_options import Lora, Precision, Train, settings_place

__all__ = [
    "RECIPE",
    "RUNS",
    "Audio",
    "Demo",
    "DistillationOptions",
    "Evaluate",
    "Generate",
    "Lora",
    "Precision",
    "Recipe",
    "StageRecipe",
    "Train",
    "copy_destination",
    "copy_shipped",
    "diff_paths",
    "fingerprint",
    "for_training",
    "load_recipe",
    "model_key",
    "phases",
    "recipe_from_yaml",
    "settings_place",
    "shipped_recipes",
    "stage_fingerprint_values",
    "stage_hash",
    "teacher_or_model",
    "trainings",
    "with_sampler_steps",
]
