"""`--steps`: another number of steps for every sampler of a recipe."""

import pytest

from mousai_kit.core.errors import RequestError
from mousai_kit.recipe import stage_fingerprint_values, with_sampler_steps


def test_every_sampler_with_steps_gets_them_wherever_it_is(desk, good):
    recipe = desk.load(
        "stages.autoencoder.model.spare=[stepless, {use: refined, first: {use: ddim, eta: 0.5}}]",
        "stages.autoencoder.model.named={one: ddim}",
        text=good,
    )
    changed = with_sampler_steps(recipe, 7)
    options = changed.stages["autoencoder"].model.options
    assert options.sampler.values() == {"use": "ddim", "steps": 7, "eta": 0.0}
    assert options.named["one"].values() == {"use": "ddim", "steps": 7, "eta": 0.0}
    assert [spare.values() for spare in options.spare] == [
        {"use": "stepless"},
        {"use": "refined", "first": {"use": "ddim", "steps": 7, "eta": 0.5}, "steps": 7},
    ]
    assert changed.stages["generator"].model.options.sampler.options.steps == 7


def test_nothing_else_changes(desk, good):
    recipe = desk.load(text=good)
    before = recipe.to_dict()
    changed = with_sampler_steps(recipe, 7)
    assert recipe.to_dict() == before
    assert stage_fingerprint_values(changed, "generator") == stage_fingerprint_values(
        recipe, "generator"
    )
    assert with_sampler_steps(with_sampler_steps(recipe, 3), 7) == changed


def test_a_number_out_of_range_is_told_for_every_sampler(desk, good):
    with pytest.raises(RequestError) as raised:
        with_sampler_steps(desk.load(text=good), 0)
    assert str(raised.value).split("\n") == [
        "steps=0: stages.autoencoder.model.sampler.steps: must be at least 1 (got 0)",
        "steps=0: stages.generator.model.sampler.steps: must be at least 1 (got 0)",
    ]


def test_a_recipe_without_such_a_sampler_is_told(desk, good):
    recipe = desk.load(
        "stages.autoencoder.model.sampler=stepless",
        "stages.generator.model.sampler=stepless",
        text=good,
    )
    with pytest.raises(RequestError) as raised:
        with_sampler_steps(recipe, 5)
    assert str(raised.value) == "steps=5: no sampler of this recipe has an option 'steps'"
