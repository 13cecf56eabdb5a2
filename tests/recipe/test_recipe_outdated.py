"""What a recipe says in an earlier version's words goes on working, and is told in one line."""

from __future__ import annotations

import pytest

from mousai_kit.core.component import Field, Options, Use
from mousai_kit.core.errors import Problem, RecipeError
from mousai_kit.core.interfaces import Sampler, Schedule
from mousai_kit.recipe import load_recipe, recipe_from_yaml, stage_fingerprint_values
from mousai_kit.recipe.nodes import Location, Notice
from mousai_kit.recipe.schema import Recipe

MODEL = "stages.only.model"


class Slope(Options):
    former_names = {"tilt": "angle"}
    angle: float = Field(1.0, description="angle")


class Walk(Sampler):
    name = "walk"
    former_names = ("stroll", "amble")

    class Options(Options):
        former_names = {"evaluations": "steps", "spacing": "levels"}
        steps: int = Field(5, ge=1, description="steps")
        noise: float = Field(0.0, description="noise", deprecated="use `ddim` with `eta`")
        levels: Use[Schedule] | None = Field(None, description="levels")
        slopes: list[Slope] = Field([], description="slopes")
        warm: Use[Sampler] | None = Field(None, deprecated="it changes nothing")

    def __init__(self, options, *, schedule):
        self.steps, self.noise = options.steps, options.noise

    def sample(self, velocity, noise, *, generator=None):
        return noise


@pytest.fixture
def load(desk, registry):
    walked = type(registry)()
    for component, owner in [*registry, (Walk, "test")]:
        walked.add(component, owner=owner)
    desk.registry = walked

    def loaded(sampler: str, *overrides: str, base: str = "") -> Recipe:
        desk.write("base.yaml", BASE + (f"      sampler: {base}\n" if base else ""))
        text = f"extends: base.yaml\nstages:\n  only:\n    model:\n      sampler: {sampler}\n"
        return desk.load(*overrides, text=text)

    return loaded


BASE = """\
version: 1
name: good
data: tones
stages:
  only:
    model:
      use: ladder
      unet: net
"""


def sampler(recipe: Recipe) -> dict[str, object]:
    return recipe.to_dict()["stages"]["only"]["model"]["sampler"]


def test_a_former_name_of_an_option_means_its_name_of_today(load):
    recipe = load("{use: walk, evaluations: 7}")
    assert sampler(recipe)["steps"] == 7
    assert recipe.notices == [f"r.yaml:5: {MODEL}.sampler.evaluations: is called 'steps' now"]
    assert recipe.hash == load("{use: walk, steps: 7}").hash


def test_a_former_name_of_a_component_means_its_name_of_today(load):
    for said, place in ("stroll", "sampler"), ("{use: amble, steps: 7}", "sampler.use"):
        recipe = load(said)
        assert sampler(recipe)["use"] == "walk"
        former = "stroll" if place == "sampler" else "amble"
        assert recipe.notices == [f"r.yaml:5: {MODEL}.{place}: '{former}' is called 'walk' now"]


def test_a_deprecated_option_is_told_where_it_says_anything(load):
    recipe = load("{use: walk, noise: 0.5}")
    assert recipe.notices == [
        f"r.yaml:5: {MODEL}.sampler.noise: is deprecated: use `ddim` with `eta`"
    ]
    assert load("{use: walk, noise: 0.0, warm: null}").notices == []


def test_a_component_reads_its_deprecated_option_in_silence(load):
    choice = load("{use: walk, noise: 0.5}").stages["only"].model.options.sampler
    assert choice.build(schedule=None).noise == 0.5  # a warning would be an error here


def test_former_names_are_found_at_any_depth(load):
    recipe = load("{use: refined, first: {use: walk, slopes: [{tilt: 2}], spacing: {use: cosine}}}")
    assert sampler(recipe)["first"]["slopes"] == [{"angle": 2.0}]
    assert sampler(recipe)["first"]["levels"] == {"use": "cosine"}
    assert recipe.notices == [
        f"r.yaml:5: {MODEL}.sampler.first.slopes.0.tilt: is called 'angle' now",
        f"r.yaml:5: {MODEL}.sampler.first.spacing: is called 'levels' now",
    ]


@pytest.mark.parametrize(
    ("said", "base", "overrides", "steps"),
    [
        ("{evaluations: 7}", "{use: walk, steps: 3}", (), 7),
        ("{steps: 7}", "{use: walk, evaluations: 3}", (), 7),
        ("{use: walk, steps: 7}", "", (f"{MODEL}.sampler.evaluations=9",), 9),
        ("{use: walk, evaluations: 7}", "", (f"{MODEL}.sampler.steps=9",), 9),
    ],
)
def test_the_last_word_counts_under_whichever_name(load, said, base, overrides, steps):
    assert sampler(load(said, *overrides, base=base))["steps"] == steps


def test_one_place_that_says_an_option_twice_is_an_error(load):
    with pytest.raises(RecipeError) as raised:
        load("{use: walk, steps: 3, evaluations: 7}")
    assert str(raised.value) == (
        f"r.yaml:5: {MODEL}.sampler.evaluations: is said twice, as 'steps' too; leave one"
    )


def test_a_fault_of_a_former_name_is_told_in_its_line(load):
    with pytest.raises(RecipeError) as raised:
        load("{use: walk, evaluations: 0}")
    assert str(raised.value) == f"r.yaml:5: {MODEL}.sampler.steps: must be at least 1 (got 0)"


@pytest.mark.parametrize("said", ["[1]", "3", "{use: 3}", "{use: nowhere}", "null", "{}"])
def test_what_is_wrong_otherwise_is_left_for_validation(load, said):
    with pytest.raises(RecipeError, match=r"^r\.yaml:5: stages\.only\.model\.sampler"):
        load(said)


def test_a_stored_recipe_says_the_same_in_todays_words(load, desk):
    today = load("{use: walk, steps: 7}")
    earlier = (
        today.to_yaml().replace("steps: 7", "evaluations: 7").replace("use: walk", "use: amble")
    )
    stored = recipe_from_yaml(earlier, registry=desk.registry)
    assert stored == today
    assert stage_fingerprint_values(stored, "only") == stage_fingerprint_values(today, "only")


def test_shipped_recipes_are_in_todays_words():
    from mousai_kit.core.plugins import installed_registry
    from mousai_kit.recipe import shipped_recipes

    said = {
        name: load_recipe(name, registry=installed_registry()).notices for name in shipped_recipes()
    }
    assert {name: notices for name, notices in said.items() if notices} == {}


def test_two_words_of_one_origin_are_told_in_turn():
    origin = Location(0, source="--set a={b: 1}")
    notices = [Notice(origin, Problem("", "", text)) for text in ("two", "one")]
    recipe = load_recipe("mousai-tiny")
    recipe.with_source(recipe._written, notices)
    assert recipe.notices == ["two", "one"]
