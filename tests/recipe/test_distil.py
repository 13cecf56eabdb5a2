"""`distil` beside a model: the model becomes a teacher, places stay as they are written."""

import nano
import pytest

from mousai_kit.core.errors import RecipeError
from mousai_kit.recipe import load_recipe, phases, stage_fingerprint_values, with_sampler_steps

GENERATOR = "stages.generator"
IN_ORDER = "must be two scales of 0 or more, the lower one first"
DISTIL = f"{GENERATOR}.distil={{steps: 2, guidance: [1, 4], train: {{steps: 5}}}}"


def test_the_model_becomes_the_teacher_that_learns_first(here):
    plain, part = nano.recipe(), nano.recipe(DISTIL).stages["generator"]
    options = part.model.options
    assert part.model.component.name == "distilled"
    assert (options.steps, options.guidance, options.played) == (2, [1.0, 4.0], "distilled")
    assert options.teacher == plain.stages["generator"].model
    assert part.first == {"teacher": plain.stages["generator"].train}
    assert part.train.steps == 5
    assert phases(nano.recipe(DISTIL), "generator") == ["generator/teacher"]


def test_null_is_no_distillation(here):
    assert nano.recipe(DISTIL, f"{GENERATOR}.distil=null") == nano.recipe()


def test_a_teacher_that_is_named_gives_the_weights(here):
    (here / "there").mkdir()
    part = nano.recipe(f"{GENERATOR}.distil={{teacher: there}}").stages["generator"]
    assert part.weights == str(here / "there")
    assert part.first == {}
    assert part.train == nano.recipe().stages["generator"].train


def test_it_is_written_as_it_is_read(here):
    recipe = nano.recipe(DISTIL)
    again = nano.recipe(text=recipe.to_yaml(), path="again.yaml")
    assert again == recipe
    assert stage_fingerprint_values(again, "generator") == stage_fingerprint_values(
        recipe, "generator"
    )
    written = recipe.to_dict()["stages"]["generator"]
    assert written["model"] == nano.recipe().to_dict()["stages"]["generator"]["model"]
    assert written["distil"]["train"]["steps"] == 5


def test_its_steps_play_it_and_others_the_teacher(here):
    recipe = nano.recipe(DISTIL)
    few, many = (with_sampler_steps(recipe, steps).stages["generator"] for steps in (2, 7))
    assert few.model.options.played == "distilled"
    assert few.model.options.teacher.options.sampler.options.steps == 3
    assert many.model.options.played == "full"
    assert many.model.options.teacher.options.sampler.options.steps == 7


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            f"{GENERATOR}.distil.stepps=3",
            f"{GENERATOR}.distil.stepps: unknown option; did you mean 'steps'?",
        ),
        (
            f"{GENERATOR}.model.sampler.use=ddimm",
            f"{GENERATOR}.model.sampler.use: no sampler is called 'ddimm'; did you mean 'ddim'?",
        ),
        (
            f"{GENERATOR}.train.batch=0",
            f"{GENERATOR}.train.batch: must be at least 1 (got 0)",
        ),
        (
            f"{GENERATOR}.distil.train.batch=0",
            f"{GENERATOR}.distil.train.batch: must be at least 1 (got 0)",
        ),
        (
            f"{GENERATOR}.distil.train.recompute=true",
            f"{GENERATOR}.distil.train.recompute: does not go with `distil`; leave it out",
        ),
        (
            f"{GENERATOR}.distil.guidance=[4, 1]",
            f"{GENERATOR}.distil.guidance: {IN_ORDER} (got [4.0, 1.0])",
        ),
    ],
)
def test_mistakes_are_told_where_they_are_written(here, said, told):
    with pytest.raises(RecipeError) as raised:
        nano.recipe(DISTIL, said)
    assert str(raised.value) == f"--set {said}: {told}"


class TestASamplerThatIsNotHeard:
    """A sampler changed of a stage that plays in its few steps, by who comes after `distil`."""

    SAMPLER = f"{GENERATOR}.model.sampler"
    TOLD = f"{SAMPLER}: is not heard: `distil` plays; add `{GENERATOR}.distil.played: full`"

    @pytest.fixture
    def base(self, here):
        (here / "base.yaml").write_text(nano.recipe(DISTIL).to_yaml())
        return "base.yaml"

    @pytest.mark.parametrize("said", ["steps=9", "use=heun"])
    def test_by_an_argument(self, base, said):
        recipe = load_recipe(base, [f"{self.SAMPLER}.{said}"])
        assert recipe.notices == [f"--set {self.SAMPLER}.{said}: {self.TOLD}"]

    def test_by_a_recipe_that_extends_it(self, base, here):
        (here / "mine.yaml").write_text(
            "extends: base.yaml\nstages:\n  generator:\n    model: {sampler: {steps: 9}}\n"
        )
        (told,) = load_recipe("mine.yaml").notices
        assert told == f"mine.yaml:4: {self.TOLD}"

    @pytest.mark.parametrize(
        "more",
        [
            [],
            [f"{SAMPLER}.steps=9", f"{GENERATOR}.distil.played=full"],
            [f"{SAMPLER}.steps=9", f"{GENERATOR}.distil=null"],
            [f"{GENERATOR}.distil.steps=4"],
        ],
    )
    def test_nothing_is_told_of_one_that_is_heard_or_stands_beside_distil(self, base, more):
        assert load_recipe(base, more).notices == []
