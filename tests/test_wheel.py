"""The wheel: what a user who installs mousai-kit gets."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def test_it_holds_every_recipe(names):
    recipes = {f"mousai_kit/recipes/{it.name}" for it in (ROOT / "recipes").glob("*.yaml")}
    assert len(recipes) == 11
    assert recipes | {"mousai_kit/recipes/mousai-kit.schema.json"} <= names


def test_it_holds_the_music_with_its_credits_and_licences(names):
    music = ROOT / "plugins" / "mousai_kit_clips" / "music"
    files = {
        f"mousai_kit_clips/music/{it.relative_to(music)}" for it in music.rglob("*") if it.is_file()
    }
    assert sum(name.endswith(".ogg") for name in files) == 14
    assert files <= names


def test_it_holds_the_weights_with_their_card_credits_and_licences(names):
    starter = ROOT / "plugins" / "mousai_kit_starter"
    files = {
        f"mousai_kit_starter/{it.relative_to(starter)}"
        for it in starter.rglob("*")
        if it.is_file() and it.suffix != ".pyc"
    }
    assert {"mousai_kit_starter/licences/CC-BY-SA-4.0.txt"} <= files <= names


def test_it_holds_the_plug_ins_and_the_types(names):
    plugins = {it.name for it in (ROOT / "plugins").iterdir()}
    assert plugins > {"mousai_kit_clips", "mousai_kit_mousai"}
    assert {f"{it}/__init__.py" for it in plugins} <= names
    assert "mousai_kit/py.typed" in names


def test_it_holds_what_new_plug_ins_are_made_of(names):
    templates = ROOT / "mousai_kit" / "cli" / "scaffold" / "templates"
    files = {str(it.relative_to(ROOT)) for it in templates.rglob("*") if it.is_file()}
    assert len(files) == 53
    assert files <= names


def test_the_music_stays_under_four_megabytes():
    music = ROOT / "plugins" / "mousai_kit_clips" / "music"
    assert sum(it.stat().st_size for it in music.glob("*.ogg")) < 4e6
