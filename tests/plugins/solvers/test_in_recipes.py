"""Spacings in recipes: chosen under a sampler, changed without training anew, told by `show`."""

import nano
import pytest

from mousai_kit.core.errors import RecipeError
from mousai_kit.recipe import stage_fingerprint_values, with_sampler_steps

SAMPLER = "stages.generator.model.sampler"


@pytest.mark.parametrize(
    "words",
    [
        [f"{SAMPLER}.levels=karras", f"{SAMPLER}.levels.rho=5.0"],
        [f"{SAMPLER}.levels={{use: karras, rho: 5.0}}"],
    ],
)
def test_levels_are_a_slot_like_any_other(here, words):
    options = nano.recipe(*words).stages["generator"].model.options.sampler.options
    assert options.levels.values() == {
        "use": "karras",
        "rho": 5.0,
        "highest": 80.0,
        "lowest": 0.002,
    }


def test_they_are_no_part_of_what_a_stage_learned(here):
    plain, spaced = nano.recipe(), nano.recipe(f"{SAMPLER}.levels=cosine-spaced")
    assert stage_fingerprint_values(plain, "generator") == stage_fingerprint_values(
        spaced, "generator"
    )
    assert plain.hash != spaced.hash


def test_another_number_of_steps_leaves_them(here):
    changed = with_sampler_steps(nano.recipe(f"{SAMPLER}.levels=karras"), 7)
    sampler = changed.stages["generator"].model.options.sampler
    assert (sampler.options.steps, sampler.options.levels.component.name) == (7, "karras")


def test_a_recipe_is_read_again_as_it_was_written(here):
    recipe = nano.recipe(f"{SAMPLER}.levels=karras")
    assert nano.recipe(text=recipe.to_yaml(), path="again.yaml") == recipe


def test_mistakes_are_told_where_they_are(here):
    with pytest.raises(RecipeError) as raised:
        nano.recipe(f"{SAMPLER}.levels=ddim")
    assert str(raised.value) == (
        f"--set {SAMPLER}.levels=ddim: {SAMPLER}.levels.use: "
        "no schedule is called 'ddim'; 'ddim' is a sampler"
    )
    with pytest.raises(RecipeError) as raised:
        nano.recipe(f"{SAMPLER}.levels.use=karras", f"{SAMPLER}.levels.roh=5.0")
    assert str(raised.value) == (
        f"--set {SAMPLER}.levels.roh=5.0: {SAMPLER}.levels.roh: unknown option; did you mean 'rho'?"
    )


@pytest.mark.parametrize("sampler", ["angle-2m", "dpmpp-2m", "dpmpp-2m-sde", "heun"])
def test_a_trained_system_plays_with_every_solver(command, trained, sampler):
    words = ["--set", f"{SAMPLER}.use={sampler}", "--set", f"{SAMPLER}.levels=karras"]
    said = command("generate", trained, "low saw chord", "--seconds", "0.2", "--steps", "4", *words)
    assert said.code == 0, said.err


def test_show_tells_them(command):
    assert "levels" in command("show", "angle-2m").out
    assert command("show", "karras").code == 0
