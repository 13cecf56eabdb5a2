"""The reference: complete, and as the code is."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mousai_kit import plugins, reference
from mousai_kit.component import Field, Options
from mousai_kit.errors import PluginError
from mousai_kit.hookspecs import GROUP, HOOKS
from mousai_kit.interfaces import KINDS
from mousai_kit.option_facts import option_facts

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_code_says(page):
    assert page == reference.reference(), "python -m mousai_kit.reference > docs/reference.md"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_with_its_class_its_wiring_and_its_hook(kind, page):
    section = page.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    words = [f"mk.{KINDS[kind].__name__}", HOOKS[kind], *KINDS[kind].wiring]
    assert [word for word in words if f"`{word}`" not in section] == []


@pytest.mark.parametrize("component", [it for it, _ in reference.first_party()], ids=str)
def test_every_option_of_a_component_stands_with_its_default_and_its_meaning(component, page):
    section = page.split(f"\n### {component.kind}: `{component.name}`\n")[1].split("\n##")[0]
    facts = option_facts(component.Options)
    assert section.count("\n| `") == len(facts)
    missing = [it["name"] for it in facts if f"\n| `{it['name']}` | " not in section]
    assert missing == []


def test_every_key_of_a_recipe_stands_under_its_whole_path(page):
    paths = [
        f"{place}.{name}".lstrip(".")
        for place, model in reference.KEYS.items()
        for name in model.model_fields
    ]
    assert [path for path in paths if f"\n| `{path}` | " not in page] == []


def test_every_key_of_a_recipe_and_every_option_has_a_description():
    models = [*reference.KEYS.values(), *(it.Options for it, _ in reference.first_party())]
    undescribed = [
        f"{model.__module__}.{model.__qualname__}.{fact['name']}"
        for model in models
        for fact in option_facts(model)
        if not fact["description"] and fact["type"] not in KINDS
    ]
    assert undescribed == []


def test_a_bar_in_a_cell_does_not_end_the_cell():
    class Barred(Options):
        """Options."""

        choice: int | None = Field(None, description="a|b")

    assert reference._table(option_facts(Barred)) == (
        "| option | type | range | default | meaning |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `choice` | integer \\| null |  | null | a\\|b |"
    )


def test_a_plugin_of_ones_own_that_is_left_out_is_an_error(monkeypatch):
    own = next(it.dist for it in reference.entry_points(group=GROUP) if it.name == "mousai")
    broken = EntryPoint("broken", "nowhere_at_all", GROUP)
    vars(broken)["dist"] = own
    monkeypatch.setattr(reference, "entry_points", lambda group: [broken])
    plugins.installed.cache_clear()
    with pytest.raises(
        PluginError, match=r"^its entry point names the module 'nowhere_at_all', but there is no"
    ):
        reference.first_party()
