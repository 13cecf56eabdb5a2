"""A stage that is told more than the text, from the music to validation and what is made."""

import nano
import pytest
import torch
from small_conditioners import Loudness, Place

import mousai_kit.api as mk
from mousai_kit.core.console import Screen
from mousai_kit.core.plugins import installed_registry
from mousai_kit.data.stage_data import StageData
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.conditioning import blank_extras
from mousai_kit.models.memory import generation_bytes, step_bytes, training_bytes
from mousai_kit.models.shapes import check_shapes
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.run import train_run

CONDITIONERS = """      conditioners:
        place: {use: small-place}
        loudness: {use: small-loudness, frames: 8, dropout: 0.4}
"""
TEXT = nano.RECIPE.replace(
    "context_injections: []}", "context_at_input: true, context_injections: []}"
)
TEXT = TEXT.replace(
    "      sampler: {use: ddim, steps: 3}\n",
    f"{CONDITIONERS}      sampler: {{use: ddim, steps: 3}}\n",
)


@pytest.fixture
def recipe(here):
    """Return a function that makes a recipe with conditioners."""

    def made(*overrides):
        registry = installed_registry()
        for component in (Place, Loudness):
            registry = registry.replacing(component, owner="tests")
        (here / "nano.yaml").write_text(TEXT)
        return load_recipe("nano.yaml", overrides, registry=registry)

    return made


@pytest.fixture
def run(recipe):
    def made(*overrides, folder="runs/nano"):
        place = RunFolder(nano.Path(folder))
        place.make()
        return Run(recipe(*overrides), place, Screen(quiet=True))

    return made


def validations(run):
    log = nano.log_of(run.folder.stage("generator").log)
    return [line["validation"] for line in log if "validation" in line]


def test_it_learns_from_what_clips_tell_and_is_validated_on_it(run):
    system = run()
    train_run(system)
    told = validations(system)
    assert [*map(list, told)] == 2 * [
        [
            "right",
            "other",
            "none",
            "loudness other",
            "loudness none",
            "place other",
            "place none",
        ]
    ]
    assert all(len(set(figures.values())) > 3 for figures in told)
    header = system.folder.provenance(system.recipe, "generator")
    clips = StageData.of(system).clips("generator", header, "train")
    assert {name: tuple(it.shape) for name, it in clips.clip(0).extras.items()} == {
        "place": (2,),
        "loudness": (1, 8),
    }


def test_what_it_learned_depends_on_what_clips_tell(run, monkeypatch):
    first, second = run(), run(folder="runs/other")
    train_run(first)
    monkeypatch.setattr(Place, "from_clip", lambda self, clip: torch.tensor([0.3, 5.0]))
    train_run(second)
    name = "conditioners.parts.place.enter.weight"
    one, other = (it.folder.load(it.recipe, "generator")[name] for it in (first, second))
    assert not one.equal(other)


@pytest.mark.parametrize("setting", ["accumulate=2", "workers=1", "recompute=true"])
def test_it_learns_in_parts_and_by_workers_as_ever(run, setting):
    train_run(system := run(f"stages.generator.train.{setting}"))
    assert len(validations(system)) == 2


def test_the_lowest_stage_is_told_of_its_audio(recipe, run, here, monkeypatch):
    text = nano.RECIPE.replace("autoencoder:", "zzz:")
    start = text.index("  zzz:")
    text = text[:start] + text[text.index("  generator:") :]
    text = text.replace(
        "context_injections: []}", "context_at_input: true, context_injections: []}"
    )
    text = text.replace(
        "      sampler: {use: ddim, steps: 3}\n", f"{CONDITIONERS}      sampler: ddim\n"
    )
    monkeypatch.setattr(f"{__name__}.TEXT", text)
    train_run(system := run())
    assert "loudness none" in validations(system)[-1]


def test_memory_and_shapes_count_it(recipe):
    made = recipe()
    cascade = Cascade.build(made)
    check_shapes(made, cascade)
    shapes = blank_extras(cascade.top, samples=4096, batch=3, device="cpu")
    assert {name: tuple(it.shape) for name, it in shapes.items()} == {
        "place": (3, 2),
        "loudness": (3, 1, 8),
    }
    assert blank_extras(cascade.stages["autoencoder"], samples=64, batch=1, device="cpu") == {}
    for count in (training_bytes, generation_bytes):
        assert count(cascade.top, samples=4096, batch=2) > 0
    assert step_bytes(cascade.top, samples=4096, batch=2, recompute=True) > 0
    outline = Cascade.build(made, device="meta")
    assert outline.top.extras_extractor(mk.Clip(torch.ones(1, 64), "", start=0, track_seconds=1))
