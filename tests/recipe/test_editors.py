"""Editors: the schema beside a recipe, and the line that points to it."""

import json
from pathlib import Path

import nano
import pytest

from mousai_kit.core.plugins import first_party
from mousai_kit.recipe import json_schema, load_recipe, shipped_recipes

LINE = "# yaml-language-server: $schema=mousai-kit.schema.json\n"
SHIPPED = Path(__file__).parents[2] / "recipes" / json_schema.FILE


def test_the_shipped_schema_is_what_the_code_says():
    written = SHIPPED.read_text(encoding="utf-8")
    advice = "python -m mousai_kit.recipe.json_schema > recipes/mousai-kit.schema.json"
    assert written == json_schema.schema_text(first_party()), advice


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_points_to_the_schema_beside_it(name):
    path = shipped_recipes()[name]
    assert path.read_text(encoding="utf-8").startswith(LINE)
    assert path.with_name(json_schema.FILE) == SHIPPED


def test_the_schema_is_no_recipe():
    assert "mousai-kit.schema" not in shipped_recipes()


def test_the_command_prints_what_it_writes_with_out(here, command):
    printed = command("schema")
    assert (printed.code, printed.err) == (0, "")
    assert json.loads(printed.out)["definitions"]["sampler.ddim"]
    assert command("schema", "--out", "mine.json").out == "mine.json\n"
    assert Path("mine.json").read_text() == printed.out


def test_a_file_that_can_not_be_written_is_told_in_a_line(here, command):
    answer = command("schema", "--out", "nowhere/mine.json")
    assert (answer.code, answer.err) == (
        2,
        "nowhere/mine.json: can't be made: there is no folder 'nowhere'\n",
    )


def test_a_copied_recipe_finds_its_schema_beside_it(here, command):
    command("cp", "mousai-tiny", "mine.yaml")
    assert nano.names() == ["mine.yaml", json_schema.FILE]
    assert Path("mine.yaml").read_text() == shipped_recipes()["mousai-tiny"].read_text()
    assert Path(json_schema.FILE).read_text() == command("schema").out


def test_a_recipe_of_ones_own_is_pointed_to_the_schema_once(here):
    recipe = Path("nano.yaml")
    before = nano.recipe()
    for _ in range(2):
        assert json_schema.add_schema_comment(recipe) == Path(json_schema.FILE)
    assert recipe.read_text() == LINE + nano.RECIPE
    assert load_recipe(recipe).hash == before.hash


def test_a_recipe_keeps_the_schema_that_it_points_to(here):
    text = "# yaml-language-server: $schema=../other.json\n" + nano.RECIPE
    Path("nano.yaml").write_text(text)
    json_schema.add_schema_comment(Path("nano.yaml"))
    assert Path("nano.yaml").read_text() == text


def test_a_recipes_headline_is_not_the_line_for_editors(command):
    rows = json.loads(command("ls", "recipe", "--json").out)
    summaries = {it["name"]: it["summary"] for it in rows}
    assert summaries["mousai-64x"].startswith("Mo\u00fbsai on the authors' published autoencoder")
    assert not [name for name, it in summaries.items() if it.startswith("yaml-language-server")]
