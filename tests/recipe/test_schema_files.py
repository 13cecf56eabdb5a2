"""The schema's file: written whole, and over nothing but a schema."""

import json
from pathlib import Path

import nano
import pytest

from mousai_kit.recipe import json_schema

SCHEMA = json_schema.FILE
TAKEN = "is there already and is no schema of mousai-kit's; move it, or name another file\n"


@pytest.mark.parametrize("kept", ["extends: mousai\n", "{}", "[1]", "\0"])
def test_nothing_else_is_replaced(command, kept):
    Path("mine.yaml").write_text(kept)
    said = command("schema", "--out", "mine.yaml")
    assert (said.code, said.err) == (2, f"mine.yaml: {TAKEN}")
    assert Path("mine.yaml").read_text() == kept


def test_a_schema_is_replaced(command):
    assert command("schema", "--out", "s.json").code == 0
    Path("s.json").write_text(json.dumps(json.loads(Path("s.json").read_text())))
    assert command("schema", "--out", "s.json").code == 0
    assert Path("s.json").read_text() == command("schema").out


def test_on_a_full_disk_the_schema_that_was_there_stays(command):
    assert command("schema", "--out", "s.json").code == 0
    before = Path("s.json").read_text()
    with nano.full_disk(8000):
        said = command("schema", "--out", "s.json")
    assert said.code == 2
    assert (
        said.err
        == "s.json: can't be written (File too large); free some space or write elsewhere\n"
    )
    assert Path("s.json").read_text() == before
    assert nano.names() == ["s.json"]


@pytest.mark.parametrize("arguments", [("cp", "mousai-tiny", "my.yaml"), ("new", "recipe", "my")])
def test_a_recipe_is_not_begun_where_its_schema_can_not_be(command, arguments):
    Path(SCHEMA).mkdir()
    said = command(*arguments)
    assert (said.code, said.err) == (2, f"{SCHEMA}: {TAKEN}")
    assert nano.names() == [SCHEMA]


def test_a_recipe_does_not_take_the_schemas_name(command):
    said = command("cp", "mousai-tiny", SCHEMA)
    assert (said.code, said.err) == (2, f"{SCHEMA}: is the schema's name; name another file\n")
    assert nano.names() == []


def test_a_copy_does_not_follow_a_link_out_of_the_folder(command):
    Path("away").mkdir()
    Path("here").mkdir()
    Path("here/mousai.yaml").symlink_to("../away/victim")
    said = command("cp", "mousai", "here")
    assert said.code == 2
    assert said.err == "here/mousai.yaml: is there already; name another file or use --force\n"
    assert command("cp", "mousai", "here", "--force").code == 0
    assert nano.names("away") == []
    assert not Path("here/mousai.yaml").is_symlink()
