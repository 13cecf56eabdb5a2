"""Relative paths in recipes: beside the recipe that says them; on the command line: here."""

import pytest

import mousai_kit.api as mk
from mousai_kit.core.registry import Registry
from mousai_kit.recipe import load_recipe


class Shelf(mk.Dataset):
    """A dataset with every sort of path."""

    name = "shelf"

    class Options(mk.Options):
        path: mk.LocalPath = mk.Field(description="folder")
        index: mk.LocalPath | None = mk.Field(None, description="file")
        model: mk.PathOrName = mk.Field("default", description="folder or name")
        more: list[mk.LocalPath] = mk.Field([], description="folders")
        word: str = mk.Field("", description="no path")

    def __init__(self, options, *, sample_rate, channels, length, split):
        pass

    def __len__(self):
        return 1

    def clip(self, index, epoch=0):
        raise NotImplementedError


RECIPE = """\
version: 1
name: good
data: {use: shelf, path: music, word: music}
stages: {one: {model: {use: ladder, unet: net}}}
"""


@pytest.fixture
def load(desk, registry):
    """Load r.yaml, or another file, with a shelf among the components."""
    known = Registry()
    for component, owner in registry:
        known.add(component, owner=owner)
    known.add(Shelf, owner="test")
    return lambda *overrides, name="r.yaml": load_recipe(name, overrides, registry=known)


def data(recipe, option="path"):
    return getattr(recipe.data.options, option)


def test_a_path_is_beside_the_recipe_wherever_the_command_is_started(desk, load, monkeypatch):
    desk.write("deep/r.yaml", RECIPE)
    wanted = str(desk.folder / "deep/music")
    assert data(load(name="deep/r.yaml")) == wanted
    monkeypatch.chdir(desk.folder / "deep")
    assert data(load()) == wanted
    assert data(load(), "word") == "music"


def test_other_music_of_the_same_name_here_is_not_taken(desk, load):
    desk.write("deep/r.yaml", RECIPE)
    (desk.folder / "deep/music").mkdir()
    (desk.folder / "music").mkdir()
    recipe = load(name="deep/r.yaml")
    assert data(recipe) == str(desk.folder / "deep/music")
    assert recipe.notices == []


def test_a_path_on_the_command_line_is_here(desk, load):
    desk.write("deep/r.yaml", RECIPE)
    (desk.folder / "deep/mine").mkdir()
    recipe = load("data.path=mine", "data.more=[a, ../b]", name="deep/r.yaml")
    assert data(recipe) == str(desk.folder / "mine")
    assert data(recipe, "more") == [str(desk.folder / "a"), str(desk.folder.parent / "b")]


def test_each_path_is_beside_the_file_that_says_it(desk, load):
    desk.write("deep/base.yaml", RECIPE)
    desk.write("r.yaml", "extends: deep/base.yaml\ndata: {index: i.sqlite}\n")
    recipe = load()
    assert data(recipe) == str(desk.folder / "deep/music")
    assert data(recipe, "index") == str(desk.folder / "i.sqlite")


@pytest.mark.parametrize("path", ["~/Music", "/music", "s3://bucket/music", "pipe:cat x"])
def test_what_is_no_relative_path_stays(desk, load, path):
    desk.write("r.yaml", RECIPE.replace("path: music", f"path: '{path}'"))
    assert data(load()) == path


def test_a_name_is_a_path_only_where_something_is_there(desk, load):
    desk.write("deep/r.yaml", RECIPE.replace("word: music", "model: owner/name"))
    assert data(load(name="deep/r.yaml"), "model") == "owner/name"
    (desk.folder / "deep/owner/name").mkdir(parents=True)
    assert data(load(name="deep/r.yaml"), "model") == str(desk.folder / "deep/owner/name")


def test_weights_are_beside_the_recipe_too(desk, load):
    desk.write("deep/r.yaml", RECIPE.replace("net}}", "net}, weights: base.safetensors}"))
    desk.write("deep/base.safetensors", b"")
    found = load(name="deep/r.yaml").stages["one"].weights
    assert found == str(desk.folder / "deep/base.safetensors")


@pytest.mark.parametrize(
    ("path", "there"), [("music", "music"), ("music/{0..9}.tar", "music"), ("a.tar", "a.tar")]
)
def test_what_an_earlier_version_found_here_is_used_and_told(desk, load, path, there):
    desk.write("deep/r.yaml", RECIPE.replace("path: music", f"path: '{path}'"))
    (desk.folder / there).mkdir()
    recipe = load(name="deep/r.yaml")
    used = desk.folder / path
    assert data(recipe) == str(used)
    assert "\n".join(recipe.notices) == (
        f"deep/r.yaml:3: data.path: is not beside the recipe, where it belongs; {used} is used, as "
        f"in earlier versions: write that, or what is right (got '{path}')"
    )


def test_shards_beside_the_recipe_are_found_by_their_folder(desk, load):
    desk.write("deep/r.yaml", RECIPE.replace("path: music", "path: 'music/{0..9}.tar'"))
    (desk.folder / "deep/music").mkdir()
    (desk.folder / "music").mkdir()
    assert data(load(name="deep/r.yaml")) == str(desk.folder / "deep/music/{0..9}.tar")


def test_a_stored_recipe_says_the_same_anywhere(desk, load, monkeypatch):
    desk.write("deep/r.yaml", RECIPE)
    recipe = load(name="deep/r.yaml")
    desk.write("run/recipe.yaml", recipe.to_yaml())
    monkeypatch.chdir("deep")
    assert load(name="../run/recipe.yaml") == recipe
