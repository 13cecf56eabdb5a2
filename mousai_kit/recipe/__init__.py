"""Recipes: YAML + extends + --set -> values that remember file:line -> a validated Recipe."""

from mousai_kit.recipe.finding import RECIPE, RUNS
from mousai_kit.recipe.load import load_recipe, stored_recipe
from mousai_kit.recipe.sampling import with_sampler_steps
from mousai_kit.recipe.schema import Audio, Evaluate, Generate, Recipe, StageRecipe, fingerprint
from mousai_kit.recipe.shelf import copy_shipped, copy_target, shipped
from mousai_kit.recipe.showing import Demo
from mousai_kit.recipe.train import Train
from mousai_kit.recipe.tuning import Lora
from mousai_kit.recipe.weights import differences, model_key, stage_hash, stage_key

__all__ = [
    "RECIPE",
    "RUNS",
    "Audio",
    "Demo",
    "Evaluate",
    "Generate",
    "Lora",
    "Recipe",
    "StageRecipe",
    "Train",
    "copy_shipped",
    "copy_target",
    "differences",
    "fingerprint",
    "load_recipe",
    "model_key",
    "shipped",
    "stage_hash",
    "stage_key",
    "stored_recipe",
    "with_sampler_steps",
]
