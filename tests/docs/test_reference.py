"""The reference: complete, and as the code is."""

from importlib import metadata
from importlib.metadata import EntryPoint, entry_points
from inspect import isfunction
from pathlib import Path

import pytest

import generate as reference
from generate.markdown import option_table
from mousai_kit.core import plugins
from mousai_kit.core.component import Field, Options
from mousai_kit.core.errors import PluginError
from mousai_kit.core.hookspecs import GROUP
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.option_docs import describe_options

DOCS = Path(__file__).parents[2] / "docs"
PAGES = reference.pages(DOCS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_what_the_code_says(page):
    assert page.read_text(encoding="utf-8") == PAGES[page], "python docs/generate docs"


def test_the_kinds_have_a_page_each_and_no_other():
    pages = {it.stem for it in (DOCS / "kinds").glob("*.md")}
    assert pages == {*KINDS, "index"}


def test_what_is_written_by_hand_is_kept():
    old = f"{reference.BEGIN}\n\nRules.\n\n{reference.END}"
    page = reference.kind_page("metric", plugins.first_party(), old)
    assert old in page
    assert reference.kind_page("metric", plugins.first_party(), page) == page


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_with_its_class_its_wiring_and_its_methods(kind):
    it, page = KINDS[kind], (DOCS / "kinds" / f"{kind}.md").read_text(encoding="utf-8")
    words = [f"mk.{it.__name__}", *it.build_kwargs, *it.optional_build_kwargs]
    assert [word for word in words if f"`{word}`" not in page] == []
    methods = [name for name, value in vars(it).items() if isfunction(value) and value.__doc__]
    assert [name for name in methods if f"def {name}(" not in page] == []
    attributes = [
        it
        for it in vars(KINDS[kind])["__annotations__"]
        if not it.endswith(("kind", "build_kwargs"))
    ]
    assert [name for name in attributes if f"\n| `{name}: " not in page] == []


@pytest.mark.parametrize("component", [it for it, _ in plugins.first_party()], ids=str)
def test_every_option_of_a_component_stands_with_its_default_and_its_meaning(component):
    page = (DOCS / "kinds" / f"{component.kind}.md").read_text(encoding="utf-8")
    section = page.split(f"\n### `{component.name}`\n")[1].split("\n##")[0]
    facts = describe_options(component.Options)
    assert section.count("\n| `") == len(facts)
    missing = [it["name"] for it in facts if f"\n| `{it['name']}` | " not in section]
    assert missing == []


def test_every_key_of_a_recipe_stands_under_its_whole_path():
    page = PAGES[DOCS / "reference.md"]
    paths = [
        f"{place}.{name}".lstrip(".")
        for place, model in reference.KEYS.items()
        for name in model.model_fields
    ]
    assert [path for path in paths if f"\n| `{path}` | " not in page] == []


def test_every_key_of_a_recipe_and_every_option_has_a_description():
    models = [*reference.KEYS.values(), *(it.Options for it, _ in plugins.first_party())]
    undescribed = [
        f"{model.__module__}.{model.__qualname__}.{fact['name']}"
        for model in models
        for fact in describe_options(model)
        if not fact["description"] and fact["type"] not in KINDS
    ]
    assert undescribed == []


def test_a_bar_in_a_cell_does_not_end_the_cell():
    class Barred(Options):
        """Options."""

        choice: int | None = Field(None, description="a|b")

    assert option_table(describe_options(Barred), kinds=".") == (
        "| option | type | range | default | meaning |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `choice` | integer \\| null |  | null | a\\|b |"
    )


def test_a_plugin_of_ones_own_that_is_left_out_is_an_error(monkeypatch):
    own = next(it.dist for it in entry_points(group=GROUP) if it.name == "mousai")
    broken = EntryPoint("broken", "nowhere_at_all", GROUP)
    vars(broken)["dist"] = own
    monkeypatch.setattr(metadata, "entry_points", lambda group: [broken])
    plugins.installed_registry.cache_clear()
    with pytest.raises(
        PluginError, match=r"^its entry point names the module 'nowhere_at_all', but there is no"
    ):
        plugins.first_party()
