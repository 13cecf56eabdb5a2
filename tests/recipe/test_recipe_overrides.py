"""`--set`: what an argument changes, and what is wrong with it."""

import pytest


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("generate.prompts=[a, b]", ["a", "b"]),
        ("generate.prompts=[]", []),
        ("generate.prompts.1=three", ["one", "three"]),
        ("generate.prompts.0=Techno: fast, loud # 1", ["Techno: fast, loud # 1", "two"]),
        ("generate.prompts.0='1'", ["1", "two"]),
        ('generate.prompts.0="a\\nb"', ["a\nb", "two"]),
        ("generate.prompts.0=*", ["*", "two"]),
        ("generate.prompts.0=a=b", ["a=b", "two"]),
        (" generate.prompts.0 = a ", ["a", "two"]),
    ],
)
def test_a_value_is_a_word_as_it_stands_or_quoted_or_in_brackets(desk, good, argument, value):
    assert desk.load(argument, text=good).generate.prompts == value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("[2020] Album", "[2020] Album"),
        ("{x} [", "{x} ["),
        ("1999", "1999"),
        ("1e5", "1e5"),
        ("true", "true"),
        ("'null'", "null"),
        ("~", "~"),
        ("'Til Dawn", "'Til Dawn"),
        ("'1999'", "1999"),
        ('"a" and "b"', '"a" and "b"'),
    ],
)
def test_of_an_option_whose_type_is_text_a_value_is_taken_as_text(desk, good, word, value):
    recipe = desk.load("data.use=folder", f"data.path={word}", text=good)
    assert recipe.data.options.path == value
    assert desk.load(f"generate.prompts.0={word}", text=good).generate.prompts == [value, "two"]


def test_a_number_can_name_a_run(desk, good):
    assert desk.load("name=123E456", text=good).name == "123E456"


def test_text_that_may_be_left_out_can_be_nothing_or_a_word(desk, good):
    stages = "stages.autoencoder.weights"
    assert desk.load(f"{stages}=null", text=good).stages["autoencoder"].weights is None
    assert desk.load(f"{stages}=1999", text=good).stages["autoencoder"].weights == "1999"


def test_numbers_and_nothing_are_read_as_in_a_file(desk, good):
    recipe = desk.load(
        "stages.autoencoder.train.learning_rate=1e-5",
        "stages.autoencoder.train.clip_norm=null",
        "seed=3",
        text=good,
    )
    train = recipe.stages["autoencoder"].train
    assert (train.learning_rate, train.clip_norm, recipe.seed) == (1e-5, None, 3)


def test_what_the_recipe_does_not_mention_can_be_set(desk, good):
    recipe = desk.load("audio.channels=1", "stages.generator.train.steps=7", text=good)
    assert recipe.audio.channels == 1
    assert recipe.stages["generator"].train.steps == 7


def test_a_component_is_chosen_before_its_options_in_any_order(desk, good):
    one = desk.load("data.path=~/Music", "data.use=folder", text=good)
    other = desk.load("data={use: folder, path: ~/Music}", text=good)
    assert one.data.values() == {"use": "folder", "path": "~/Music", "hidden": False}
    assert one == other


def test_an_option_can_be_set_below_a_bare_name(desk, good):
    recipe = desk.load("stages.autoencoder.model.unet.hop_length=3", text=good)
    assert recipe.stages["autoencoder"].model.options.unet.options.hop_length == 3


def test_the_last_of_two_settings_of_one_value_counts(desk, good):
    assert desk.load("seed=1", "seed=2", text=good).seed == 2


def test_a_whole_stage_can_be_added(desk, good):
    recipe = desk.load("stages.third={model: {use: ladder, unet: net}}", text=good)
    assert list(recipe.stages) == ["autoencoder", "generator", "third"]


def test_another_use_drops_the_old_options(desk, good):
    recipe = desk.load("stages.autoencoder.model.schedule=cosine", text=good)
    assert recipe.stages["autoencoder"].model.options.schedule.values() == {"use": "cosine"}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("seed", "--set seed: must be written as path=value, such as seed=1"),
        ("=1", "--set =1: must be written as path=value, such as seed=1"),
        ("", "--set : must be written as path=value, such as seed=1"),
        ("a..b=1", "--set a..b=1: must be written as path=value, such as seed=1"),
        ("extends=x", "--set extends=x: extends: can't be set here; write it in a recipe file"),
        (
            ".".join("a" * 50) + "=1",
            "--set " + ".".join("a" * 50) + "=1: is nested deeper than 40 levels",
        ),
        ("seed=\x07", r"--set seed=\x07: is not text: it holds '\x07'"),
        (
            "generate.format=[",
            (
                "--set generate.format=[: is not valid YAML: while parsing a flow node, "
                "expected the node content, but found '<stream end>'"
            ),
        ),
        (
            "data={use: tones, use: b}",
            (
                "--set data={use: tones, use: b}: data.use: "
                "is already set at --set data={use: tones, use: b}"
            ),
        ),
        ("name.x=1", "--set name.x=1: name: must be text (got a mapping)"),
        (
            "version.x=1",
            "--set version.x=1: version: is a single value and has nothing below it",
        ),
        (
            "generate.prompts.2=x",
            "--set generate.prompts.2=x: generate.prompts.2: is out of range; the list has 2 items",
        ),
        (
            "generate.prompts.99999999999=x",
            (
                "--set generate.prompts.99999999999=x: generate.prompts.99999999999: "
                "is out of range; the list has 2 items"
            ),
        ),
        (
            "generate.prompts.-1=x",
            (
                "--set generate.prompts.-1=x: generate.prompts.-1: "
                "is no item of a list; they are numbered from 0"
            ),
        ),
        (
            "stages.generater.train.steps=5",
            (
                "--set stages.generater.train.steps=5: stages.generater: there is no such stage; "
                "did you mean 'generator'?"
            ),
        ),
        (
            "stages.generator.model.sampler.etta=0.5",
            (
                "--set stages.generator.model.sampler.etta=0.5: "
                "stages.generator.model.sampler.etta: unknown option; did you mean 'eta'?"
            ),
        ),
        (
            "stages.generator.model.schedule.shift=1",
            (
                "--set stages.generator.model.schedule.shift=1: stages.generator.model.schedule: "
                "must say which schedule to use (`use: <name>`)"
            ),
        ),
        (
            "seed=abc",
            "--set seed=abc: seed: must be a whole number (got 'abc')",
        ),
        ("name=", "--set name=: name: has no value after `=`; null says none, '' an empty text"),
        (
            "data.path=",
            "--set data.path=: data.path: has no value after `=`; null says none, '' an empty text",
        ),
        (
            "name=null",
            (
                "--set name=null: name: must be text (got null); a text of these letters is "
                "written 'null', with its quotes"
            ),
        ),
        ("data.use=folder", "--set data.use=folder: data.path: is missing"),
        ("data=folder", "--set data=folder: data.path: is missing"),
        (
            "audoi.channels=1",
            "--set audoi.channels=1: audoi: unknown option; did you mean 'audio'?",
        ),
    ],
)
def test_what_an_argument_can_get_wrong(set_errors, argument, message):
    assert set_errors(argument) == [message]


def test_a_list_of_one_item_is_told_in_the_singular(desk, good):
    text = good.replace("[one, two]", "[one]")
    assert desk.errors("generate.prompts.1=x", text=text) == [
        "--set generate.prompts.1=x: generate.prompts.1: is out of range; the list has 1 item"
    ]


def test_every_argument_is_told_in_order_beside_what_is_wrong_in_the_file(desk, good):
    text = good.replace("version: 1", "version: 3")
    assert desk.errors("seed=-1", "bad", "audio=4", text=text) == [
        "r.yaml:1: version: must be 1 (got 3)",
        "--set seed=-1: seed: must be at least 0 (got -1)",
        "--set bad: must be written as path=value, such as seed=1",
        "--set audio=4: audio: must be a mapping of options (got 4)",
    ]
