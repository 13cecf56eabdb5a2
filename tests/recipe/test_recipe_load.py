"""Loading a recipe: what it becomes, and every error of it at once."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mousai_kit.core.errors import RecipeError
from mousai_kit.recipe import Recipe, load_recipe


def test_what_a_recipe_leaves_out_has_the_papers_values(desk):
    recipe = desk.load(
        text="""\
        version: 1
        name: least
        data: tones
        stages: {only: {model: {use: ladder, unet: net}}}
        """
    )
    values = recipe.to_dict()
    train = values.pop("stages")["only"]["train"]
    assert values == {
        "version": 1,
        "name": "least",
        "seed": 0,
        "device": "auto",
        "audio": {"sample_rate": 48000, "channels": 2},
        "data": {"use": "tones"},
        "generate": {
            "prompts": [],
            "seconds": 10.0,
            "guidance": 5.0,
            "count": 1,
            "batch": None,
            "window": 10.0,
            "format": "flac",
        },
        "evaluate": {
            "metrics": [],
            "clips": 4,
            "seconds": 8.0,
            "prompts": [],
            "generated": 16,
            "real": 64,
        },
        "demo": {"every": None, "prompts": None, "clips": 1, "seconds": None, "seed": 0},
        "track": [],
    }
    assert train == {
        "steps": 1_000_000,
        "minutes": None,
        "expected_minutes": None,
        "batch": 32,
        "length": 2**18,
        "accumulate": 1,
        "learning_rate": 1e-4,
        "betas": [0.95, 0.999],
        "epsilon": 1e-6,
        "weight_decay": 1e-3,
        "warmup": 0,
        "decay": 1.0,
        "decay_shape": "cosine",
        "decay_from": 0.0,
        "ema": 0.995,
        "ema_power": 0.7,
        "ema_every": 1,
        "clip_norm": 1.0,
        "on_bad_loss": "skip",
        "loss_explosion_factor": 10.0,
        "precision": "fp32",
        "recompute": False,
        "compile": False,
        "watch": True,
        "workers": 2,
        "validate_every": 1000,
        "checkpoint_every": 1000,
        "patience": 1800.0,
        "keep_checkpoints": 2,
        "keep_best": True,
        "final_weights": "last",
        "passes": 16,
    }


def test_stages_keep_the_order_in_which_they_are_written(desk, good):
    assert list(desk.load(text=good).stages) == ["autoencoder", "generator"]


def test_a_recipe_can_be_given_as_a_path(desk, good, registry):
    recipe = load_recipe(desk.write("r.yaml", good), registry=registry)
    assert (recipe.name, recipe.folder) == ("good", "good")


def test_a_path_is_never_a_shipped_name(desk, registry):
    with pytest.raises(RecipeError) as raised:
        load_recipe(desk.folder / "mousai", registry=registry)
    (problem,) = raised.value.problems
    assert problem.origin == f"{desk.folder}/mousai"


@pytest.mark.parametrize("name", ["a", "Mousai-2.1_x", "0", "a" * 64])
def test_a_name_may_be_any_plain_folder_name(desk, good, name):
    assert desk.load(f"name='{name}'", text=good).folder == name


@pytest.mark.parametrize(
    "name", ["..", "a/b", "../x", ".hidden", "-x", "a b", "", "a..b", "\u00fc", "a" * 65]
)
def test_a_name_that_is_no_plain_folder_name_is_refused(errors, good, name):
    assert errors(good.replace("name: good", f"name: '{name}'")) == [
        (
            "r.yaml:2: name: must be letters, digits, '-', '_' and '.', "
            f"as it names the run's folder (got {_shown(name)})"
        )
    ]


def _shown(name):
    return repr(name) if len(name) < 60 else repr(name)[:56] + "...'"


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"])
def test_a_device_is_one_that_torch_knows(desk, good, device):
    assert desk.load(f"device={device}", text=good).device == device


REPLACEMENTS = [
    (  # an unknown component: nearest, of another kind, few, an import path
        "schedule: {use: shifted-cosine, shift: 2}",
        "schedule: cosin",
        ("9: stages.autoencoder.model.schedule.use: no schedule is called 'cosin'; "
        "did you mean 'cosine'?"),
    ),
    (
        "sampler: {use: ddim, steps: 50}",
        "sampler: {use: cosine, steps: 50}",
        ("17: stages.generator.model.sampler.use: no sampler is called 'cosine'; "
        "'cosine' is a schedule"),
    ),
    (
        "data: tones",
        "data: os.system",
        "3: data.use: no dataset is called 'os.system'; there are 'folder' and 'tones'",
    ),
    (
        "data: tones",
        "data: 3",
        "3: data: must be the name of a dataset, or `use: <name>` with options (got 3)",
    ),
    ("data: tones", "data: {use: }", "3: data.use: must be the name of a dataset (got null)"),
    (
        "data: tones",
        "data: {path: x}",
        "3: data: must say which dataset to use (`use: <name>`)",
    ),
    (  # an unknown option: nearest, few, none
        "unet: net\n",
        "unet: {use: net, hop_lenght: 3}\n",
        ("8: stages.autoencoder.model.unet.hop_lenght: unknown option; "
        "did you mean 'hop_length'?"),
    ),
    (
        "shift: 2",
        "wrong: 2",
        "9: stages.autoencoder.model.schedule.wrong: unknown option; there is 'shift'",
    ),
    (
        "data: tones",
        "data: {use: tones, x: 1}",
        "3: data.x: unknown option; there are none",
    ),
    ("items: [{channels: 1}", "items: [{channels: 1, chanels: 1}",
     "16: stages.generator.model.unet.items.0.chanels: unknown option; did you mean 'channels'?"),
    ("name: good", "name: good\nsede: 1", "3: sede: unknown option; did you mean 'seed'?"),
    ("name: good", "name: good\nxyz: 1", "3: xyz: unknown option"),
    ("steps: 10", "stps: 10", "10: stages.autoencoder.train.stps: unknown option; did you mean 'steps'?"),
    # a wrong type
    ("steps: 10", "steps: 1e6", "10: stages.autoencoder.train.steps: must be a whole number (got 1000000.0)"),
    ("steps: 10", "steps: true", "10: stages.autoencoder.train.steps: must be a whole number (got true)"),
    ("steps: 10", "steps:", "10: stages.autoencoder.train.steps: must be a whole number (got null)"),
    ("steps: 10", "ema: no", "10: stages.autoencoder.train.ema: must be a number (got 'no')"),
    ("steps: 10", "betas: 1", "10: stages.autoencoder.train.betas: must be a list (got 1)"),
    ("train: {steps: 10}", "train: fast", "10: stages.autoencoder.train: must be a mapping of options (got 'fast')"),
    (
        "[one, two]",
        "[one, 2]",
        "19: generate.prompts.1: must be text; put it in quotes, or a mapping with `prompt` (got 2)",
    ),
    (
        "[one, two]",
        "[one, [two]]",
        "19: generate.prompts.1: must be text, or a mapping with `prompt` (got a list)",
    ),
    (
        "[one, two]",
        "[one, {negative: two}]",
        "19: generate.prompts.1.prompt: is missing",
    ),
    (
        "[one, two]",
        "[{prompt: one, negativ: two}]",
        "19: generate.prompts.0.negativ: unknown option; did you mean 'negative'?",
    ),
    (
        "[one, two]",
        "[{prompt: one, spread: 2}]",
        "19: generate.prompts.0.spread: must be at most 1 (got 2)",
    ),
    (
        "[one, two]",
        "[{prompt: one, spread: 1}]",
        "19: generate.prompts.0.spread: means nothing without `variation`",
    ),
    (
        "[one, two]",
        "[]\n  controls: {guidance_interval: [0.8, 0.2]}",
        "20: generate.controls.guidance_interval: the first level must be below the second",
    ),
    ("shift: 2", "shift: x", "9: stages.autoencoder.model.schedule.shift: must be a number (got 'x')"),
    ("data: tones", "data: {use: folder, path: x, hidden: no}", "3: data.hidden: must be true or false (got 'no')"),
    ("{channels: 1}", "1", "16: stages.generator.model.unet.items.0: must be a mapping of options (got 1)"),
    ("{channels: 1}", "{channels: 1, factor: x}",
     "16: stages.generator.model.unet.items.0.factor: must be a whole number, or must be a list (got 'x')"),
    ("items: [", "skips: 3\n        items: [",
     "16: stages.generator.model.unet.skips: must be a mapping of names to values (got 3)"),
    # out of range
    ("version: 1", "version: 2", "1: version: must be 1 (got 2)"),
    ("name: good", "name: good\nseed: -1", "3: seed: must be at least 0 (got -1)"),
    ("name: good", f"name: good\nseed: {2**63}", f"3: seed: must be less than {2**63} (got {2**63})"),
    ("name: good", "name: good\naudio: {sample_rate: 200000}",
     "3: audio.sample_rate: must be at most 192000 (got 200000)"),
    ("steps: 10", "minutes: 0", "10: stages.autoencoder.train.minutes: must be greater than 0 (got 0)"),
    ("steps: 10", "ema: .nan", "10: stages.autoencoder.train.ema: must be a finite number (got nan)"),
    ("steps: 10", "betas: [0.9]", "10: stages.autoencoder.train.betas: must have 2 items or more (got 1)"),
    ("steps: 10", "betas: [0.9, 0.9, 0.9]", "10: stages.autoencoder.train.betas: must have 2 items at most (got 3)"),
    ("steps: 10", "betas: [0.9, 1.0]", "10: stages.autoencoder.train.betas.1: must be less than 1 (got 1.0)"),
    ("steps: 10", "precision: fp8", "10: stages.autoencoder.train.precision: must be 'fp32', 'bf16' or 'fp16' (got 'fp8')"),
    ("generate:\n", "generate:\n  precision: {generater: bf16}\n",
     "19: generate.precision.generater: there is no stage 'generater'; did you mean 'generator'?"),
    ("generate:\n", "generate:\n  precision: {generator: half}\n",
     "19: generate.precision.generator: must be 'fp32', 'bf16' or 'fp16' (got 'half')"),
    ("name: good", "name: good\ndevice: gpu",
     "3: device: must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps' (got 'gpu')"),
    ("use: net\n", "use: net\n        mode: b\n",
     "16: stages.generator.model.unet.mode: must match the pattern '^a' (got 'b')"),
    ("  generator:", "  Second Stage:",
     "11: stages.Second Stage: a stage's name must be lower-case words, as in 'my-stage' (got 'Second Stage')"),
    # missing
    ("version: 1\n", "", "1: version: is missing"),
    ("      unet: net\n", "", "6: stages.autoencoder.model.unet: is missing"),
    ("{channels: 2}", "{}", "16: stages.generator.model.unet.items.1.channels: is missing"),
    ("data: tones", "data: folder", "3: data.path: is missing"),
    # repeated
    ("name: good", "name: good\nname: better", "3: name: is already set at r.yaml:2"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "message"), REPLACEMENTS)
def test_a_mistake_is_told_with_its_place_and_what_to_do(errors, good, right, wrong, message):
    assert right in good
    assert errors(good.replace(right, wrong, 1)) == [f"r.yaml:{message}"]


def test_a_recipe_needs_a_stage(errors):
    text = "version: 1\nname: x\ndata: tones\nstages: {}\n"
    assert errors(text) == ["r.yaml:4: stages: must not be empty"]


def test_a_kind_that_no_plugin_offers_is_told(desk, good):
    desk.registry = type(desk.registry)()
    assert (
        "r.yaml:3: data.use: no dataset is called 'tones'; no plug-in that offers a dataset is installed"
        in (desk.errors(text=good))
    )


def test_all_errors_are_told_at_once_in_the_order_of_the_file(errors):
    text = """\
version: 1
name: a/b
name: c
audio: {channels: 9, sample_rate: 4}
stages:
  autoencoder:
    model: {use: ladder, unet: {use: nt}, scedule: cosine}
    train: {batch: 0}
  generator:
    train:
      steps: x
evaluate: {metrics: [distance, {use: distanse}, {use: distance, bands: 0}]}
"""
    assert errors(text, "seed=x", "oops") == [
        "r.yaml:1: data: is missing",
        (
            "r.yaml:2: name: must be letters, digits, '-', '_' and '.', as it names the run's folder "
            "(got 'a/b')"
        ),
        "r.yaml:3: name: is already set at r.yaml:2",
        "r.yaml:4: audio.channels: must be at most 8 (got 9)",
        "r.yaml:4: audio.sample_rate: must be at least 8000 (got 4)",
        "r.yaml:7: stages.autoencoder.model.unet.use: no unet is called 'nt'; did you mean 'net'?",
        "r.yaml:7: stages.autoencoder.model.scedule: unknown option; did you mean 'schedule'?",
        "r.yaml:8: stages.autoencoder.train.batch: must be at least 1 (got 0)",
        "r.yaml:9: stages.generator.model: is missing",
        "r.yaml:11: stages.generator.train.steps: must be a whole number (got 'x')",
        "r.yaml:12: evaluate.metrics.1.use: no metric is called 'distanse'; did you mean 'distance'?",
        "r.yaml:12: evaluate.metrics.2.bands: must be at least 1 (got 0)",
        "--set seed=x: seed: must be a whole number (got 'x')",
        "--set oops: must be written as path=value, such as seed=1",
    ]


def test_a_recipe_of_a_thousand_mistakes_is_an_error_of_a_hundred_lines(errors, good):
    lines = errors(good + "".join(f"x{number}: 1\n" for number in range(1000)))
    assert len(lines) == 101
    assert lines[0] == "r.yaml:20: x0: unknown option"
    assert lines[-1] == "and 900 more"


def test_a_dumped_recipe_is_loaded_as_the_same_recipe(desk, good):
    recipe = desk.load(text=good)
    desk.write("dumped.yaml", recipe.to_yaml())
    again = desk.load(name="dumped.yaml")
    assert again == recipe
    assert again.to_yaml() == recipe.to_yaml()
    assert again.hash == recipe.hash


names = st.text(string.ascii_lowercase, min_size=1, max_size=6)
trains = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.integers(1),
        "minutes": st.none() | st.floats(0, exclude_min=True, allow_infinity=False),
        "learning_rate": st.floats(1e-12, 1),
        "betas": st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=2),
        "precision": st.sampled_from(["fp32", "bf16"]),
    },
)
samplers = st.sampled_from(["stepless", "ddim"]) | st.fixed_dictionaries(
    {"use": st.just("ddim")}, optional={"steps": st.integers(1, 1000), "eta": st.floats(0, 1)}
)
stages = st.fixed_dictionaries(
    {
        "model": st.fixed_dictionaries(
            {"use": st.just("ladder"), "unet": st.just("net")}, optional={"sampler": samplers}
        )
    },
    optional={"train": trains},
)
recipes = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "name": names,
        "data": st.just("tones"),
        "stages": st.dictionaries(names, stages, min_size=1, max_size=3),
    },
    optional={
        "seed": st.integers(0, 2**63 - 1),
        "generate": st.fixed_dictionaries(
            {
                "prompts": st.lists(
                    st.text(st.characters(exclude_categories=["Cs", "Cc"])), max_size=3
                )
            }
        ),
    },
)


@settings(deadline=None)
@given(values=recipes)
def test_any_recipe_survives_dump_and_load(values, registry, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    recipe = Recipe.model_validate(values, context={"registry": registry})
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    again = load_recipe(path, registry=registry)
    assert (again, again.hash, again.to_dict()) == (recipe, recipe.hash, recipe.to_dict())


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["ladder", "net", "ddim", "refined", "cosine"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["use", "unet", "sampler", "first", "items", "steps", "skips", "named", "model", "train", "extends"])
        | st.text(max_size=3),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@settings(deadline=None)
@given(
    values=st.dictionaries(st.sampled_from([*Recipe.model_fields, "extends"]), junk),
    overrides=st.lists(st.text("abdeilnopstux.=0123[]{}:,'\"", max_size=20), max_size=3),
)
def test_whatever_is_written_becomes_a_recipe_or_an_error(
    values, overrides, registry, tmp_path_factory
):
    from mousai_kit.recipe.yaml import dump

    path = tmp_path_factory.getbasetemp() / "junk.yaml"
    path.write_bytes(dump(values).encode("utf-8", "surrogatepass"))
    problems = []
    try:
        load_recipe(path, overrides, registry=registry)
    except RecipeError as error:
        problems = error.problems
    assert all(problem.origin.startswith((str(path), "--set")) for problem in problems)
    assert all(str(problem).isprintable() for problem in problems)


@settings(deadline=None)
@given(text=st.text("versionamdtgu:12 -{}[]'\"\n&*!#|>\\%@", max_size=60))
def test_whatever_text_becomes_a_recipe_or_an_error(text, registry, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "text.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError):
        load_recipe(path, registry=registry)
