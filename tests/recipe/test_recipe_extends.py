"""`extends`: merging, finding the other recipe, and what can be wrong with it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mousai_kit.recipe import shipped_recipes
from mousai_kit.recipe.merging import merge
from mousai_kit.recipe.nodes import Location, Node


def written(value, source="x"):
    origin = Location(0, source=source)
    if isinstance(value, dict):
        return Node({key: written(item, source) for key, item in value.items()}, origin)
    if isinstance(value, list):
        return Node([written(item, source) for item in value], origin)
    return Node(value, origin)


def merged(over, under):
    return merge(written(over), written(under)).plain()


keys = st.sampled_from("abcd")
values = st.recursive(
    st.integers() | st.none() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)
mappings = st.dictionaries(keys, values, max_size=4)


@settings(deadline=None)
@given(mappings)
def test_extending_or_being_extended_by_nothing_changes_nothing(values):
    assert merged({}, values) == values
    assert merged(values, {}) == values
    assert merged(values, values) == values


@settings(deadline=None)
@given(mappings, mappings)
def test_a_merge_has_every_key_and_each_value_of_the_child(over, under):
    result = merged(over, under)
    assert list(result) == [*under, *(key for key in over if key not in under)]
    for key in result:
        if key not in over:
            assert result[key] == under[key]
        elif key not in under or not (isinstance(over[key], dict) and isinstance(under[key], dict)):
            assert result[key] == over[key]
        else:
            assert result[key] == merged(over[key], under[key])


@pytest.mark.parametrize(
    ("over", "under", "result"),
    [
        ({"use": "y"}, {"use": "x", "a": 1}, {"use": "y"}),
        ({"use": "y", "b": 2}, {"use": "x", "a": 1}, {"use": "y", "b": 2}),
        ({"use": "x", "b": 2}, {"use": "x", "a": 1}, {"use": "x", "a": 1, "b": 2}),
        ({"b": 2}, {"use": "x", "a": 1}, {"use": "x", "a": 1, "b": 2}),
        ("y", {"use": "x", "a": 1}, {"use": "y"}),
        ("x", {"use": "x", "a": 1}, {"use": "x", "a": 1}),
        ({"use": "x", "a": 1}, "x", {"use": "x", "a": 1}),
        ({"use": "y", "a": 1}, "x", {"use": "y", "a": 1}),
        ({"a": 1}, "x", {"use": "x", "a": 1}),
        ("y", "x", "y"),
        ("x", {"a": 1}, "x"),
        (["y"], ["x", "z"], ["y"]),
        (None, {"use": "x"}, None),
        ({"a": 1}, None, {"a": 1}),
    ],
)
def test_a_component_keeps_its_options_while_it_keeps_its_name(over, under, result):
    assert merged({"slot": over}, {"slot": under}) == {"slot": result}


def test_a_child_says_only_what_differs(desk, good):
    desk.write("base.yaml", good)
    recipe = desk.load(
        text="""\
        extends: base.yaml
        name: child
        stages:
          generator: {model: {sampler: stepless}, train: {batch: 4}}
        generate: {prompts: [three]}
        """
    )
    base = desk.load(name="base.yaml")
    assert (recipe.name, recipe.generate.prompts) == ("child", ["three"])
    assert list(recipe.stages) == ["autoencoder", "generator"]
    model = recipe.stages["generator"].model
    assert model.options.sampler.values() == {"use": "stepless"}
    assert model.options.unet == base.stages["generator"].model.options.unet
    assert recipe.stages["generator"].train.batch == 4
    assert recipe.stages["autoencoder"] == base.stages["autoencoder"]


def test_what_is_extended_lies_beside_the_recipe_that_extends_it(desk, good):
    desk.write("sub/base.yaml", good)
    desk.write("sub/deeper/middle.yaml", "extends: ../base.yaml\nseed: 5\n")
    recipe = desk.load(text="extends: sub/deeper/middle.yaml\nname: mine\n")
    assert (recipe.name, recipe.seed) == ("mine", 5)


@pytest.mark.parametrize("name", ["mousai", "mousai.yaml"])
def test_a_shipped_recipe_can_be_extended_from_anywhere(desk, name):
    assert desk.load(text=f"extends: {name}\nname: mine\n").name == "mine"


@pytest.mark.parametrize("name", ["mousai-tiny", "mousai-tiny.yaml"])
def test_a_shipped_recipe_is_loaded_by_name(desk, name):
    assert desk.load(name=name).name == "tiny"


def test_a_file_goes_before_a_shipped_recipe_of_its_name(desk, good):
    recipe = desk.load(text=good.replace("name: good", "name: mine"), name="mousai.yaml")
    assert recipe.name == "mine"


def test_recipes_of_a_wheel_go_before_those_of_the_repository(desk):
    assert sorted(shipped_recipes()) == ["mousai", "mousai-tiny"]
    path = desk.write("wheel/other.yaml", "")
    assert shipped_recipes() == {"other": path}


def test_no_recipe_may_be_shipped_at_all(desk, monkeypatch):
    monkeypatch.setattr("mousai_kit.recipe.shipped.FOLDERS", ())
    assert shipped_recipes() == {}
    message = "mousai: there is no such file and no such shipped recipe"
    assert desk.errors(name="mousai") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "extends: bse.yaml\n",
            (
                "r.yaml:1: extends: there is no recipe 'bse.yaml' beside this one and none is "
                "shipped; did you mean 'base.yaml'?"
            ),
        ),
        (
            "extends: sub/bas.yaml\n",
            (
                "r.yaml:1: extends: there is no recipe 'sub/bas.yaml' beside this one and none is "
                "shipped; did you mean 'sub/base.yaml'?"
            ),
        ),
        (
            "seed: 1\nextends: quite-another\n",
            (
                "r.yaml:2: extends: there is no recipe 'quite-another' beside this one and none is "
                "shipped; shipped are 'mousai' and 'mousai-tiny'"
            ),
        ),
        (
            "extends: 3\n",
            "r.yaml:1: extends: must be the name of a recipe (got 3)",
        ),
        ("extends:\n", "r.yaml:1: extends: must be the name of a recipe (got null)"),
        ("extends: ''\n", "r.yaml:1: extends: must be the name of a recipe (got '')"),
        ("extends: [a]\n", "r.yaml:1: extends: must be the name of a recipe (got a list)"),
        ("extends: r.yaml\n", "r.yaml:1: extends: is circular: r.yaml -> r.yaml"),
        (
            "extends: loop.yaml\n",
            "loop.yaml:2: extends: is circular: r.yaml -> loop.yaml -> sub/../r.yaml",
        ),
    ],
)
def test_what_extends_can_get_wrong(desk, text, message):
    desk.write("base.yaml", "")
    desk.write("sub/base.yaml", "")
    desk.write("loop.yaml", "seed: 0\nextends: ./sub/../r.yaml\n")
    assert desk.errors(text=text) == [message]


def test_a_base_that_is_no_yaml_is_told_by_its_own_name_and_line(desk):
    desk.write("sub/base.yaml", "seed: 0\n- x\n")
    assert desk.errors(text="extends: sub/base.yaml\nseed: 1\nseed: 2\n") == [
        "r.yaml:3: seed: is already set at r.yaml:2",
        (
            "sub/base.yaml:2: is not valid YAML: while parsing a block mapping, "
            "expected <block end>, but found '-'"
        ),
    ]


def test_an_error_names_the_file_that_says_it(desk, good):
    desk.write("base.yaml", good.replace("steps: 50", "steps: 0"))
    text = "extends: base.yaml\nname: child\nstages:\n  autoencoder:\n    train: {batch: 0}\n"
    assert desk.errors("seed=-1", text=text) == [
        "r.yaml:5: stages.autoencoder.train.batch: must be at least 1 (got 0)",
        "base.yaml:17: stages.generator.model.sampler.steps: must be at least 1 (got 0)",
        "--set seed=-1: seed: must be at least 0 (got -1)",
    ]


def test_a_changed_use_answers_for_the_options_that_it_needs(desk, good):
    desk.write("base.yaml", good)
    assert desk.errors(text="extends: base.yaml\ndata:\n  use: folder\n") == [
        "r.yaml:2: data.path: is missing"
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "quite-other",
            (
                "quite-other: there is no such file and no such shipped recipe; "
                "shipped are 'mousai' and 'mousai-tiny'"
            ),
        ),
        (
            "mousai-tny",
            (
                "mousai-tny: there is no such file and no such shipped recipe; "
                "did you mean 'mousai-tiny'?"
            ),
        ),
        (
            "sub/bose.yaml",
            (
                "sub/bose.yaml: there is no such file and no such shipped recipe; "
                "did you mean 'sub/base.yaml'?"
            ),
        ),
        ("sub", "sub: is a folder; a recipe is a YAML file"),
        ("", "'': is a folder; a recipe is a YAML file"),
        (
            "a\0b",
            (
                r"a\x00b: there is no such file and no such shipped recipe; "
                "shipped are 'mousai' and 'mousai-tiny'"
            ),
        ),
        (
            "~nobody-at-all/x",
            (
                "~nobody-at-all/x: there is no such file and no such shipped recipe; "
                "shipped are 'mousai' and 'mousai-tiny'"
            ),
        ),
    ],
)
def test_a_recipe_that_is_not_there_is_told(desk, name, message):
    desk.write("sub/base.yaml", "")
    assert desk.errors(name=name) == [message]


def test_a_name_too_long_for_a_file_is_told(desk):
    (line,) = desk.errors(name="x" * 5000)
    assert line == "x" * 157 + "...: there is no such file and no such shipped recipe; " + (
        "shipped are 'mousai' and 'mousai-tiny'"
    )


def test_a_file_that_cannot_be_read_is_told(desk, monkeypatch):
    path = desk.write("r.yaml", "version: 1\n")

    def refuse(self, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert desk.errors() == ["r.yaml: can't be read: Permission denied"]
