"""The documents: what they show runs, validates, or is what the commands print."""

from __future__ import annotations

import pkgutil
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from reader import PAGES, ROOT, blocks

from mousai_kit.cli.describe import describe_recipe
from mousai_kit.core import plugins
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.option_docs import describe_options
from mousai_kit.recipe import load_recipe
from mousai_kit.recipe.nodes import Location, ProblemCollector
from mousai_kit.recipe.yaml import parse

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]*))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_is_so(page, reader, request):
    text = page.read_text(encoding="utf-8")
    for run in ("runs/mousai", "runs/mousai-small"):
        if f'{run}")' in text:  # a run of the smallest size in its place
            shutil.copytree(request.getfixturevalue("trained_once"), reader.folder / run)
    reader.follow(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_and_their_headings_lead_somewhere(page):
    broken = []
    for file, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        if "://" not in file and not (target.exists() and heading in ("", *headings(target))):
            broken.append(f"{file}#{heading}")
    assert broken == []


def headings(page: Path) -> list[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    if page.suffix != ".md":
        return []
    outside = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def test_the_readme_tells_a_typo_as_it_is_told(reader):
    page = ROOT / "README.md"
    (shown,) = [it.text.strip() for it in blocks(page) if "did you mean 'dpmpp-2m'" in it.text]
    (recipe,) = [it.text for it in blocks(page) if it.language == "yaml"]
    Path("my-recipe.yaml").write_text(recipe.replace("dpmpp-2m", "dpmpp2m"))
    assert reader._output(["mousai-kit", "validate", "my-recipe.yaml"]).strip() == shown


class TestDesign:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

    def test_every_package_stands_in_it(self):
        packages = [it.parent for it in ROOT.glob("mousai_kit/*/__init__.py")]
        packages += [it.parent for it in ROOT.glob("plugins/*/__init__.py")]
        rows = re.findall(r"^\| `((?:mousai_kit|plugins)/\w+)` \|", self.page, re.MULTILINE)
        assert sorted(rows) == sorted(str(it.relative_to(ROOT)) for it in packages)

    def test_there_are_at_most_thirteen_packages(self):
        assert len([*ROOT.glob("mousai_kit/*/__init__.py")]) <= 13
        modules = {it.name for it in ROOT.glob("mousai_kit/*.py")}
        assert modules == {"__init__.py", "__main__.py", "api.py"}

    def test_every_file_that_it_names_is_there(self):
        names = re.findall(r"`(\w+(?:/\w+)+\.py)`", self.page)
        places = [ROOT / "mousai_kit", ROOT]
        missing = [name for name in names if not any((place / name).exists() for place in places)]
        assert len(names) > 8
        assert missing == []

    def test_every_call_of_the_journeys_is_there(self):
        journeys = self.page.partition("## Three journeys")[2].partition("## ")[0]
        calls = re.findall(r"`(\w+(?:\.\w+)+)`", journeys)
        assert len(calls) > 20
        for call in calls:
            if call != "stage.loss":
                assert pkgutil.resolve_name(f"mousai_kit.{call}") is not None

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_stands_with_its_wiring_and_its_methods(self, kind):
        (row,) = re.findall(rf"^\| `{kind}` \| (.*) \| (.*) \|$", self.page, re.MULTILINE)
        build_kwargs = ", ".join(KINDS[kind].build_kwargs)
        asked_for = "".join(f", (`{name}`)" for name in KINDS[kind].optional_build_kwargs)
        assert row[0] == (f"`{build_kwargs}`{asked_for}" if build_kwargs else "-")
        abstract = {name.strip("_") for name in KINDS[kind].__abstractmethods__}
        assert [name for name in abstract if name not in row[1]] == []

    def test_every_layer_of_the_import_contract_is_told_in_order(self):
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
        (layers,) = [it["layers"] for it in settings["contracts"] if it["type"] == "layers"]
        names = [re.findall(r"\w+", layer) for layer in layers]
        told = " > ".join(", ".join(layer) for layer in names)
        assert told in " ".join(self.page.split())


class TestPaper:
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")

    @pytest.fixture
    def recipe(self):
        return load_recipe("mousai-paper", registry=plugins.installed_registry())

    def rows(self) -> dict[str, object]:
        """The table's values by path."""
        found: dict[str, object] = {}
        for paths, values in re.findall(
            r"^\| (`(?:autoencoder|generator)\b.*?) \| `({.*?})` \|", self.page, re.MULTILINE
        ):
            for path in re.findall(r"`([\w.]+)`", paths):
                parsed = parse(values, Location(0), ProblemCollector()).plain()
                found |= leaves(parsed, path)
        return found

    def test_the_table_says_what_the_recipe_says(self, recipe):
        said = leaves(recipe.to_dict()["stages"], "")
        wrong = {k: (v, said.get(k)) for k, v in self.rows().items() if said.get(k) != v}
        assert wrong == {}

    def test_the_table_leaves_no_option_out(self, recipe):
        said = leaves(recipe.to_dict()["stages"], "")
        idle = (
            "autoencoder.model.unet.attention_",
            "generator.model.text.revision",
            "autoencoder.train.passes",
        )
        assert [it for it in said if it not in self.rows() and not it.startswith(idle)] == []

    def test_parameters_and_memory_are_as_counted(self, recipe):
        facts = describe_recipe(recipe)
        autoencoder, generator = facts["stages"]
        counts = [*autoencoder["parts"].values(), autoencoder["parameters"]]
        counts += [*generator["parts"].values(), generator["parameters"]]
        told = [f"{count / 1e6:.3f} M" for count in counts]
        told += [f"{stage['training_bytes'] / 2**30:.1f} GiB" for stage in facts["stages"]]
        assert [it for it in told if it not in self.page] == []

    def test_the_pinned_commit_of_t5_is_the_recipes(self, recipe):
        revision = recipe.to_dict()["stages"]["generator"]["model"]["text"]["revision"]
        assert set(re.findall(r"[0-9a-f]{40}", self.page)) == {revision}


def leaves(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, object] = {}
    for key, item in value.items():
        found |= leaves(item, f"{path}.{key}".lstrip("."))
    return found


def test_the_compatibility_page_tells_what_a_recipe_is_told(reader):
    page = ROOT / "docs" / "compatibility.md"
    reader.follow(page)
    (told,) = [it.text for it in blocks(page) if it.language == "text"]
    recipe = load_recipe("kettle.yaml", registry=reader.registry())
    assert recipe.notices == told.splitlines()


def test_a_deprecated_option_and_a_former_name_stand_among_the_facts(reader):
    reader.follow(ROOT / "docs" / "compatibility.md")
    steps, lid = describe_options(reader.module.Heat.Options)
    assert steps["description"] == "evaluations of the network; formerly 'evaluations'"
    assert lid["description"] == "deprecated: it has no effect; keep the heat"
