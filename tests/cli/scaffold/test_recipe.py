"""`mousai-kit new recipe`: what it says, and what is refused with nothing written."""

from pathlib import Path

import nano
import pytest

from mousai_kit.cli.scaffold.recipe import NOTES
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import load_recipe, shipped_recipes

NAMES = list(shipped_recipes())


@pytest.fixture
def refused(command):
    """Return a function that runs `new recipe`, sees it refused, and returns what it says."""

    def said(*arguments):
        before = nano.names()
        answer = command("new", "recipe", *arguments)
        assert (answer.code, answer.out, nano.names()) == (2, "", before)
        return answer.err.removesuffix("\n")

    return said


def values(source):
    return load_recipe(source, registry=installed_registry()).to_dict() | {"name": "any"}


def test_it_extends_a_shipped_one_and_the_next_commands_are_told(command):
    answer = command("new", "recipe", "mine")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "mine.yaml: extends mousai-small, and says what you change\n\n"
        "Try next:\n"
        "  mousai-kit validate mine.yaml\n"
        "  mousai-kit run mine.yaml\n"
    )
    assert "\nextends: mousai-small\nname: mine\n" in Path("mine.yaml").read_text()


@pytest.mark.parametrize("base", NAMES)
def test_as_written_it_is_as_its_base(command, base):
    command("new", "recipe", "mine", "--from", base)
    assert values(Path("mine.yaml")) == values(base)


@pytest.mark.parametrize("base", NAMES)
def test_what_stands_there_as_comments_is_what_the_base_says(command, base):
    command("new", "recipe", "mine", "--from", base)
    head, name, comments = Path("mine.yaml").read_text().partition("name: mine\n")
    lines = comments.strip().splitlines()
    assert all(line.startswith("# ") for line in lines)
    Path("mine.yaml").write_text("\n".join([head, name, *(line[2:] for line in lines)]))
    assert values(Path("mine.yaml")) == values(base)


def test_every_note_has_its_place(command):
    command("new", "recipe", "mine")
    text = Path("mine.yaml").read_text()
    assert [note for note in NOTES.values() if note not in text] == []


def test_a_copy_beside_it_is_not_what_it_extends(command):
    command("cp", "mousai-tiny")
    copy = Path("mousai-tiny.yaml")
    copy.write_text(copy.read_text().replace("seed: 0", "seed: 1"))
    command("new", "recipe", "mine", "--from", "mousai-tiny")
    assert values(Path("mine.yaml"))["seed"] == 0


@pytest.mark.parametrize("name", ["007", "true", "1e5", "Mine.2"])
def test_a_name_is_text_whatever_it_looks_like(command, name):
    Path("folder").mkdir()
    assert command("new", "recipe", name, "--into", "folder").code == 0
    assert load_recipe(Path("folder", f"{name}.yaml"), registry=installed_registry()).name == name


def test_a_name_that_is_no_folders_is_refused(refused):
    rule = "must be letters, digits, '-', '_' and '.', as it names the run's folder"
    assert refused("my music") == f"name: {rule} (got 'my music')"
    assert refused("../mine") == f"name: {rule} (got '../mine')"


def test_a_shipped_recipe_keeps_its_name(refused):
    assert refused("mousai") == (
        "mousai: is a shipped recipe's name; choose another, or copy it: mousai-kit cp mousai"
    )


def test_an_unknown_base_is_told(refused):
    assert refused("mine", "--from", "mousai-tinny") == (
        "no shipped recipe is called 'mousai-tinny'; did you mean 'mousai-tiny'?"
    )


def test_a_file_that_is_there_is_left_alone(refused):
    Path("mine.yaml").write_text("mine")
    assert refused("mine") == (
        "mine.yaml: is there already; choose another name, or name another folder with --into"
    )
    assert Path("mine.yaml").read_text() == "mine"


def test_a_missing_folder_is_told(refused):
    assert refused("mine", "--into", "away") == (
        "away/mine.yaml: can't be made: there is no folder 'away'"
    )


def test_a_full_disk_leaves_nothing_behind(refused):
    with nano.full_disk(100):
        assert refused("mine") == "mine.yaml: can't be written: File too large"
