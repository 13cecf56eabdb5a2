import nano
import pytest

from mousai_kit.core.errors import MousaiError
from mousai_kit.core.plugins import installed_registry
from mousai_kit.studio.forms import GENERATE, form_changes, part_form
from mousai_kit.studio.systems import Systems

SAMPLER = "stages.generator.model.sampler"


@pytest.fixture
def recipe(trained):
    return Systems([str(trained)]).recipe("nano")


def form_of(recipe, place, chosen=None):
    return part_form(recipe, place, installed_registry(), chosen)


def filled(form, **values):
    names = {field.name.rpartition(".")[2]: field for field in form.fields}
    assert set(values) <= set(names)
    return [values.get(name, field.value) for name, field in names.items()]


def test_a_form_shows_what_the_recipe_says(recipe):
    form = form_of(recipe, SAMPLER)
    assert (form.kind, form.chosen) == ("sampler", "ddim")
    assert {"ddim", "heun", "dpmpp-2m"} <= set(form.components)
    steps = next(field for field in form.fields if field.name == "steps")
    assert (steps.kind, steps.value) == ("whole", 3)
    assert steps.info.startswith(">= 1")
    assert form_changes(form, recipe, filled(form)) == []


def test_a_changed_option_is_one_change_and_another_component_starts_from_its_defaults(recipe):
    form = form_of(recipe, SAMPLER)
    assert form_changes(form, recipe, filled(form, steps=7)) == [f"{SAMPLER}.steps=7"]
    other = form_of(recipe, SAMPLER, "dpmpp-2m")
    changes = form_changes(other, recipe, filled(other, steps=9))
    assert changes == [f"{SAMPLER}.use=dpmpp-2m", f"{SAMPLER}.steps=9"]


@pytest.mark.parametrize("value", [0, -3, "many"])
def test_a_faulty_value_has_the_line_that_validate_prints(command, trained, recipe, value):
    form = form_of(recipe, SAMPLER)
    (change,) = form_changes(form, recipe, filled(form, steps=value))
    with pytest.raises(MousaiError) as error:
        Systems([str(trained)]).recipe("nano", [change])
    printed = command("validate", trained / "recipe.yaml", "--set", change)
    assert (printed.code, printed.err) == (2, f"{error.value}\n")


def test_every_component_of_every_slot_has_a_form_whose_defaults_are_valid(trained, recipe):
    systems = Systems([str(trained)])
    for place in systems.abilities("nano").slots:
        for name in form_of(recipe, place).components:
            form = form_of(recipe, place, name)
            if all(field.value != "" for field in form.fields):
                systems.recipe("nano", form_changes(form, recipe, filled(form)))


def test_guidance_is_a_form_too(trained, recipe):
    form = form_of(recipe, GENERATE)
    changes = form_changes(form, recipe, filled(form, guidance=5.0, guidance_schedule="cosine"))
    assert changes == ["generate.guidance=5", "generate.controls.guidance_schedule=cosine"]
    changed = Systems([str(trained)]).recipe("nano", changes)
    assert changed.generate.guidance == 5
    assert changed.generate.controls.guidance_schedule == "cosine"


def test_the_starter_which_is_distilled_takes_what_its_form_changes():
    systems = Systems(["starter"])
    recipe = systems.recipe("starter")
    form = form_of(recipe, SAMPLER)
    changes = form_changes(form, recipe, filled(form, steps=7))
    assert systems.recipe("starter", changes).to_yaml() != recipe.to_yaml()


def test_a_part_of_a_distilled_model_is_changed_where_it_is_written_and_heard(here):
    recipe = nano.recipe("stages.generator.distil={steps: 2}")
    form = form_of(recipe, SAMPLER)
    assert form.chosen == "ddim"
    assert form_changes(form, recipe, filled(form)) == []
    assert form_changes(form, recipe, filled(form, steps=7)) == [
        f"{SAMPLER}.steps=7",
        "stages.generator.distil.played=full",
    ]
