"""The JSON Schema of recipes: it allows what the loader allows, and refuses what it refuses."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_places import named, places
from jsonschema import Draft7Validator
from pydantic import ConfigDict, ValidationError

from mousai_kit.core.component import Field, Options
from mousai_kit.core.errors import RecipeError
from mousai_kit.core.interfaces import KINDS, Sampler
from mousai_kit.core.plugins import discover, installed_registry
from mousai_kit.core.validation import flatten_errors
from mousai_kit.recipe import Recipe, load_recipe, shipped_recipes
from mousai_kit.recipe.json_schema import json_schema
from mousai_kit.recipe.nodes import Location, ProblemCollector
from mousai_kit.recipe.yaml import dump, parse_mapping

NOT_FOR_A_SCHEMA = (
    "the lists need one value per depth each",
    "channels must be multiples of groups",
    "channels times multipliers must be multiples",
    "must divide features",
    "window must be stride or an even number",
    "blocks must be as many as factors",
    "n_fft must be hop_length or an even number",
    "must be the 40-digit commit",
    "is for given weights",
    "does not go with `lora`",
    "a batch of ",
    "must be 1 without a `draft`",
    "means nothing without",
    "the first level must be below",
)
"""How the rules begin that hold between options."""


SCHEMA = json_schema(installed_registry())
VALIDATOR = Draft7Validator(SCHEMA)


def plain(text):
    return parse_mapping(text.encode(), Location(0), ProblemCollector()).plain()


def loaded(name):
    return load_recipe(name, registry=installed_registry())


def faults(values):
    """Return (place, message) of each problem that the loader has with a recipe's plain values."""
    try:
        Recipe.model_validate(values, context={"registry": installed_registry()})
    except ValidationError as error:
        found = flatten_errors(error, Recipe)
        return [(".".join(map(str, place)), message) for place, message in found]
    return []


def put(values, path, value):
    """Return values with another one at a dotted path; None of a path's last key drops it."""
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    changed = copy.deepcopy(values)
    node = changed
    for key in way:
        node = node[key]
    if value is DROPPED:
        del node[last]
    else:
        node[last] = value
    return changed


DROPPED = object()
TINY = loaded("mousai-tiny").to_dict()
LOWER, UPPER = "stages.autoencoder.model", "stages.generator.model"
BROKEN = [
    ("version", 2),
    ("version", True),
    ("version", DROPPED),
    ("name", DROPPED),
    ("name", "my music"),
    ("name", "a..b"),
    ("seed", -1),
    ("seed", "one"),
    ("seed", None),
    ("seed", 2**63),
    ("sede", 1),
    ("device", "gpu"),
    ("audio", 48000),
    ("audio.sample_rate", 7999),
    ("audio.channels", 1.5),
    ("audio.chanels", 2),
    ("data", DROPPED),
    ("data", "folder"),
    ("data", {"use": "folder"}),
    ("data", {"use": "folder", "path": ""}),
    ("data", ["tones"]),
    ("data", "tone"),
    ("data", {"use": "ddim"}),
    ("stages", {}),
    ("stages.Upper", {"model": "text-to-latent"}),
    ("stages.generator.model", DROPPED),
    ("stages.generator.trian", {}),
    ("stages.generator.train.steps", 0),
    ("stages.generator.train.minutes", 0),
    ("stages.generator.train.betas", [0.9]),
    ("stages.generator.train.betas", [0.9, 1]),
    ("stages.generator.train.precision", "fp64"),
    ("stages.generator.train.learning_rate", "1e-4"),
    (f"{LOWER}.use", "diffusion"),
    (f"{LOWER}.use", DROPPED),
    (f"{LOWER}.encoder", "unet1d"),
    (f"{LOWER}.encoder.hop_lenght", 256),
    (f"{LOWER}.unet.channels.0", 0),
    (f"{LOWER}.unet.channels", []),
    (f"{LOWER}.unet.transform", {"filtres": 3}),
    (f"{LOWER}.unet.transform", {"stride": 0}),
    (f"{LOWER}.unet.transform", 64),
    (f"{LOWER}.unet.head", "both"),
    (f"{LOWER}.schedule", None),
    (f"{LOWER}.schedule.shift", 2),
    (f"{LOWER}.sampler", {"steps": 5}),
    (f"{LOWER}.sampler.steps", True),
    (f"{LOWER}.sampler.levels", "tones"),
    (f"{LOWER}.sampler.levels", {"use": "shifted-cosine", "shift": 0}),
    (f"{UPPER}.text", 5),
    ("generate.format", "mp3"),
    ("generate.prompts", "one"),
    ("generate.prompts.0", 1),
    ("generate.prompts.0", {"negative": "vocals"}),
    ("generate.prompts.0", {"prompt": "Rock", "negativ": "vocals"}),
    ("generate.controls", {"spread": 2}),
    ("generate.batch", 0),
    ("evaluate.metrics.0", "log-mel"),
    ("evaluate.metrics.0", {"use": "log-mel-distance", "bands": 0}),
]


def test_it_is_a_schema_of_the_draft_that_it_names():
    assert SCHEMA["$schema"] == Draft7Validator.META_SCHEMA["$schema"]
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid_as_written_and_as_a_run_keeps_it(name):
    assert places(VALIDATOR, plain(shipped_recipes()[name].read_text())) == set()
    assert places(VALIDATOR, plain(loaded(name).to_yaml())) == set()


@pytest.mark.parametrize(
    ("path", "value"), BROKEN, ids=lambda it: "dropped" if it is DROPPED else str(it)[:40]
)
def test_a_mistake_is_found_where_the_loader_finds_it(path, value):
    broken = put(TINY, path, value)
    told = {named(place) for place, _ in faults(broken)}
    if (path, value) == ("data", "folder"):  # its `path` is missing, which has no place yet
        told = {"data"}
    assert told != set()
    assert places(VALIDATOR, broken) == told


def everywhere(values, place=()):
    """Yield the place of every value in a recipe."""
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in items:
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from everywhere(value, (*place, key))


PLACES = [".".join(map(str, place)) for place in everywhere(TINY)]
VALUES = [
    *(
        DROPPED,
        None,
        True,
        -1,
        0,
        1,
        2,
        0.5,
        1e-4,
        12345.6,
        2**63,
        "",
        "x",
        "my-name",
        "a b",
        "flac",
    ),
    *([], [1], [1, 1], [0.5, 0.5], [None], ["x"], {}, {"steps": 3}, {"use": "ddim"}, {"use": 1}),
    *("ddim", "cosine", "mel", "tones", "folder", "t5", "waveform", {"use": "cosine", "shift": 2}),
]


def edited(base):
    """Return recipes with a value or two changed, dropped or added."""
    spots = st.sampled_from([*PLACES, *(f"{place}x" for place in PLACES if place[-1].isalpha())])
    edits = st.lists(st.tuples(spots, st.sampled_from(VALUES)), min_size=1, max_size=2)

    def made(edits):
        values = base
        for path, value in edits:
            try:
                values = put(values, path, value)
            except (KeyError, IndexError, TypeError):  # an edit took the place away
                continue
        return values

    return edits.map(made)


@settings(max_examples=300)
@given(edited(TINY))
def test_it_allows_exactly_what_the_loader_allows_but_for_rules_between_options(values):
    found = [message for _, message in faults(values)]
    beyond = bool(found) and all(message.startswith(NOT_FOR_A_SCHEMA) for message in found)
    assert VALIDATOR.is_valid(values) == (not found or beyond), found


@settings(max_examples=60)
@given(values=edited({**TINY, "extends": "mousai-tiny.yaml"}))
def test_no_change_of_another_recipe_is_refused_that_the_loader_allows(values, tmp_path_factory):
    file = tmp_path_factory.mktemp("child") / "child.yaml"
    file.write_text(dump(values))
    try:
        load_recipe(file, registry=installed_registry())
    except RecipeError:  # what the loader refuses is the other tests' matter
        return
    assert places(VALIDATOR, values) == set()


CHANGES = [
    {},
    {"name": "mine"},
    {"data": "folder"},
    {"data": {"path": "~/Music"}},
    {"stages": {"generator": {"train": {"steps": 5}}}},
    {"stages": {"generator": {"model": {"sampler": {"steps": 5}}}}},
    {"stages": {"generator": {"model": {"sampler": {"use": "heun"}}}}},
    {"stages": {"generator": {"model": {"unet": {"transform": {"stride": 32}}}}}},
    {"stages": {"generator": {"model": {"schedule": {"shift": 2}}}}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_recipe_that_extends_another_says_only_what_it_changes(change):
    assert places(VALIDATOR, {"extends": "mousai.yaml", **change}) == set()
    assert places(VALIDATOR, change) != set()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"stages": {"a": {"model": {"sampler": {"stpes": 5}}}}}, "stages.a.model.sampler.stpes"),
        ({"stages": {"a": {"model": {"sampler": {"steps": 0}}}}}, "stages.a.model.sampler.steps"),
        ({"stages": {"a": {"model": {"sampler": {"use": "mel"}}}}}, "stages.a.model.sampler"),
        ({"stages": {"a": {"model": {"sampler": {"use": "ddim", "hop": 1}}}}},
         "stages.a.model.sampler.hop"),
        ({"evaluate": {"metrics": [{"bands": 80}]}}, "evaluate.metrics.0"),
        ({"seed": -1}, "seed"),
        ({"extends": 1}, "extends"),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_is_checked_all_the_same(change, place):
    assert place in places(VALIDATOR, {"extends": "mousai.yaml", **change})


def test_every_component_stands_with_its_text_and_all_options_with_range_and_default():
    for component, _ in installed_registry():
        own = SCHEMA["definitions"][f"{component.kind}.{component.name}"]
        first = component.__doc__.strip().split("\n", 1)[0]
        assert own["description"].split("\n", 1)[0] == first
        assert own["properties"]["use"]["const"] == component.name
        fields = component.Options.model_fields
        assert list(own["properties"]) == ["use", *fields]
        for name, field in fields.items():
            option = own["properties"][name]
            assert option.get("description") == field.description
            assert ("default" in option) is not field.is_required()
    steps = SCHEMA["definitions"]["sampler.ddim"]["properties"]["steps"]
    assert steps == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10_000,
        "default": 50,
        "description": "evaluations of the network",
    }


def test_it_is_the_same_every_time():
    assert json.dumps(json_schema(discover()[0])) == json.dumps(SCHEMA)


@pytest.mark.parametrize("kind", KINDS)
def test_each_name_of_a_kind_has_a_sentence(kind):
    names = SCHEMA["definitions"][f"{kind}.names"]
    assert names["enum"] == installed_registry().names(kind)
    assert len(names["enumDescriptions"]) == len(names["enum"])
    assert all(names["enumDescriptions"])


class Odd(Options):
    """Options of `sampler: euler`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    order: Sampler | None = Field(None, description="what no schema can tell")


def test_a_plugins_component_is_there_with_it_even_if_its_options_are_odd():
    class Euler(installed_registry().find("sampler", "ddim")):
        """Steps along the velocity."""

        name = "euler"
        Options = Odd

    registry = discover()[0]
    recipe = put(TINY, f"{LOWER}.sampler", {"use": "euler", "order": None})
    assert places(Draft7Validator(json_schema(registry)), recipe) == {f"{LOWER}.sampler"}
    registry.add(Euler, owner="a third party")
    grown = json_schema(registry)
    Draft7Validator.check_schema(grown)
    assert places(Draft7Validator(grown), recipe) == set()
    wrong = put(recipe, f"{LOWER}.sampler.odrer", 1)
    assert places(Draft7Validator(grown), wrong) == {f"{LOWER}.sampler.odrer"}
