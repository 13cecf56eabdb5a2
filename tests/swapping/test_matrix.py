"""Every part that comes along, in the place of every other of its kind: it trains and plays."""

import json
import re
from pathlib import Path

import nano
import pytest
import saved_data
import small_t5
import small_transformers
import tar_shards
import torch
from slots import SMALL, Swap, choices, first_party, nano_choices, swaps

from mousai_kit.core.interfaces import KINDS, GenerationRequest, SetMetric, TextMetric
from mousai_kit.core.plugins import installed_registry
from mousai_kit.evaluation import report
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe, shipped_recipes
from mousai_kit.training.run import train_run

REQUEST = GenerationRequest(["low saw chord"], seeds=[1], samples=4000, guidance=2.0)
SWAPS = swaps(nano_choices())
PLAYING = [it for it in SWAPS if ".sampler" in it.path]
LEARNED = [it for it in SWAPS if ".sampler" not in it.path]
STEPS = "stages.autoencoder.model.sampler.steps=3"
"""So that another spacing of levels is heard: of two steps the middle may be the same."""
ALONE = ("stage", "weight_format", "embedding", "metric", "conditioner")
"""Kinds whose components stand for no other in a slot of a stage, or are tested below."""


@pytest.fixture(scope="session")
def default(trained_once, tmp_path_factory):
    """Return what the recipe makes as it is."""
    path = tmp_path_factory.mktemp("default") / "nano.yaml"
    return (
        nano.system(STEPS, folder=trained_once, path=path).load().cascade.generate_signal(REQUEST)
    )


@pytest.fixture
def materials(here):
    """Put what components read into the folder: two pretrained texts, and some music."""
    for folder in ("t5", "bert", "music"):
        Path(folder).mkdir()
    small_t5.save(Path("t5"))
    small_transformers.network("bert", Path("bert"))
    for number in range(4):
        nano.tone(f"music/{number}.wav", hertz=200 + 50 * number)
    notes = {it.stem: {"wav": it.read_bytes()} for it in sorted(Path("music").iterdir())}
    tar_shards.shard("shards/0.tar", notes)
    saved_data.saved("data", [it["wav"] for it in notes.values()])


def parts(system, swap: Swap):
    """Return the parts of a stage, and those of its parts."""
    stage = system.cascade.stages[swap.stage]
    return [it for part in (*stage.modules(), stage.sampler) for it in (part, *vars(part).values())]


def check(system, swap: Swap, default) -> None:
    """Fail unless a trained system makes other music than the default, with the part in it."""
    made = system.cascade.generate_signal(REQUEST)
    assert made.shape == (1, 1, REQUEST.samples)
    assert made.isfinite().all()
    assert made.any()
    assert not torch.equal(made, default)
    if swap.stage:
        component = installed_registry().find(swap.kind, swap.name)
        assert [it for it in parts(system, swap) if type(it) is component] != []


@pytest.mark.parametrize("swap", LEARNED, ids=str)
def test_a_part_learns_and_plays_in_the_place_of_another(swap, materials, trained, default):
    system = nano.system(STEPS, swap.override)
    train_run(system)
    kept = load_recipe(system.folder.path / "recipe.yaml", registry=installed_registry())
    assert kept.to_dict() == system.recipe.to_dict()
    check(nano.system(STEPS, swap.override).load(), swap, default)


@pytest.mark.parametrize("swap", PLAYING, ids=str)
def test_a_part_of_sampling_plays_what_is_trained(swap, trained_once, here, default):
    check(nano.system(swap.override, folder=trained_once).load(), swap, default)


def test_every_metric_of_pairs_measures_a_run(trained):
    registry = installed_registry()
    of_sets = (SetMetric, TextMetric)
    metrics = [
        name
        for name in first_party()["metric"]
        if not issubclass(registry.find("metric", name), of_sets)
    ]
    system = nano.system(f"evaluate.metrics={metrics}".replace("'", ""))
    figures = report.write_report(system.load())
    assert [name for name in metrics if name not in json.dumps(figures)] == []


def test_every_metric_of_sets_that_needs_no_model_measures_a_run(trained):
    metrics = ["frechet-distance", "nearest-training-clip", "genre-confusion"]
    genres = "evaluate.prompts={Fast: [fast, quick], Other: [slow, held]}"
    few = ("evaluate.generated=4", "evaluate.real=6", "generate.guidance=1")
    system = nano.system(f"evaluate.metrics={metrics}".replace("'", ""), genres, *few)
    scores = report.write_report(system.load())["generated"]["scores"]
    assert [(score["metric"], score["reason"]) for score in scores] == [(it, "") for it in metrics]


@pytest.mark.parametrize("name", first_party()["conditioner"])
def test_a_conditioner_is_heard_while_a_generator_learns(name, here):
    own = name.replace("-", "_")
    both = f"{{tune: {{use: melody}}, {own}: {{use: {name}}}}}"
    words = re.sub(r"conditioners:\n(        .*\n)+", f"conditioners: {both}\n", nano.TOLD)
    system = nano.system(text=words)
    train_run(system)
    log = nano.log_of(system.folder.stage("generator").log)
    assert any(f"{own} none" in line.get("validation", {}) for line in log)


def test_every_component_has_been_in_a_slot():
    stood = {(it.kind, it.name) for it in SWAPS} | set(nano_choices().values())
    known = {(kind, name) for kind, names in first_party().items() for name in names}
    assert {it for it in known - stood if it[0] not in ALONE} == set()
    assert set(SMALL) <= known, "small options of what there is no more"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_choice(kind):
    assert len(first_party()[kind]) >= 2


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_takes_every_part(name, here):
    recipe = load_recipe(name, registry=installed_registry())
    found = choices(recipe)
    drafts = [path for path in found if path.endswith(".draft")]
    idle = {path.replace(".draft", ".encoder") for path in drafts}  # the draft's is in its place
    for swap in (it for it in swaps(found) if it.kind not in ALONE and it.path not in idle):
        changed = load_recipe(name, [swap.override], registry=installed_registry())
        assert choices(changed)[swap.path] == (swap.kind, swap.name)


@pytest.mark.parametrize("unet", ["autoencoder", "generator"])
def test_the_papers_recipe_is_built_with_a_transformer_of_full_size(unet):
    words = [f"stages.{unet}.model.unet=dit1d", "stages.generator.model.text.use=t5-scratch"]
    stages = Cascade.build(
        load_recipe("mousai-paper", words, registry=installed_registry()), device="meta"
    )
    count = sum(it.numel() for it in stages.stages[unet].unet.parameters())
    assert 4e8 < count < 6e8
