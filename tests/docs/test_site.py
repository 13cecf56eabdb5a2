"""The site: it builds without a warning, asks no other server, and leads to every page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from reader import DOCS

pytest.importorskip("sphinx", reason="the site needs the extra `docs`")
pytest.importorskip("myst_parser", reason="the site needs the extra `docs`")
pytest.importorskip("furo", reason="the site needs the extra `docs`")

LOADED = re.compile(r"(?:src=|<link[^>]* href=).(?:https?:)?//[^ >]*")
IMPORTED = re.compile(r"(?:url\(.?|@import .*)(?:https?:)?//[^ )]*")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a page outside the navigation is a warning."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--nitpicky", "--quiet", "-d", str(folder / "trees")]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / "html")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return folder / "html"


def test_it_builds_without_a_warning_and_holds_every_page(site):
    pages = {it.relative_to(DOCS).with_suffix(".html") for it in DOCS.rglob("*.md")}
    assert {it for it in pages if not (site / it).is_file()} == set()


def test_it_loads_nothing_from_another_server(site):
    found = {str(it.name): LOADED.findall(it.read_text("utf-8")) for it in site.rglob("*.html")}
    assert {name: urls for name, urls in found.items() if urls} == {}
    styles = {it.name: IMPORTED.findall(it.read_text("utf-8")) for it in site.rglob("*.css")}
    assert {name: urls for name, urls in styles.items() if urls} == {}


def test_the_pages_that_stand_elsewhere_show_the_text_that_stands_there(site):
    assert "What was measured" in (site / "start.html").read_text("utf-8")
    assert "Unreleased" in (site / "changelog.html").read_text("utf-8")
    assert "CC-BY-SA" in (site / "credits.html").read_text("utf-8")
