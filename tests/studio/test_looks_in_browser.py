"""The page in Chromium: how it looks when it is filled, the keyboard alone, a studio stopped."""

import json
from pathlib import Path

import pytest
import studio_parts
from studio_page import choose_tab, fill, make, open_page, pick, press, wait_for

pytestmark = [
    pytest.mark.xdist_group("studio"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TABS = ("Make", "Gallery", "Shape", "Swap", "Compare", "Listen", "Train")
STOPPED = "The studio was stopped. Start it again with mousai-kit studio; finished clips are kept."


def fill_makers(page):
    make(page, "low saw chord, which is a rather long prompt for a list that drops down", "1")
    page.locator("#make-picture img").wait_for()
    choose_tab(page, "Gallery")
    page.locator("#gallery-pictures img").first.wait_for()
    pick(page, "gallery-clip", "low saw chord")
    page.locator("#gallery-picture img").wait_for()
    choose_tab(page, "Shape")
    page.locator("#shape-way").get_by_label("Repaint a range of it").check()
    pick(page, "shape-clip", "low saw chord")
    page.locator("#shape-wave img").wait_for()
    fill(page, "shape-start", "0.25")
    fill(page, "shape-stop", "0.75")
    press(page, "shape")
    page.locator("#shape-picture img").wait_for()


def fill_swap_and_compare(page):
    choose_tab(page, "Swap")
    fill(page, "swap-prompt", "low saw chord")
    fill(page, "swap-seconds", "1")
    page.locator("#swap-listen").click()
    page.locator("#swap-after-picture img").wait_for()
    page.locator("#swap-export").click()
    page.locator("#swap-recipe").get_by_text("nano-swapped").first.wait_for()
    choose_tab(page, "Compare")
    fill(page, "compare-prompts", "low saw\nhigh sine")
    fill(page, "compare-seconds", "1")
    page.locator("#compare-button").click()
    page.locator(".compare-row").nth(1).get_by_role("button", name="Play", exact=True).nth(
        1
    ).wait_for()


def fill_listen(page):
    """Stand in the midst of a test, with the results so far."""
    choose_tab(page, "Listen")
    if not page.locator("#genre-name").is_visible():
        page.get_by_role("button", name="Make a test").click()
    fill(page, "genre-name", "looked-at")
    fill(page, "genre-genres", "low saw\nhigh sine")
    fill(page, "genre-clips", "1")
    fill(page, "genre-seconds", "0.5")
    page.locator("#genre-make").click()
    wait_for(page, "listen-test", "looked-at")
    fill(page, "listen-name", "Ada")
    page.locator("#listen-begin").click()
    page.locator("#listen-answer").get_by_label("low saw").check()
    page.locator("#listen-next").click()
    wait_for(page, "listen-question", "2 of 4")
    page.locator("#listen-show").click()
    page.locator("#listen-matrix img").wait_for()
    page.locator("#listen-csv a").first.wait_for()


@pytest.fixture(scope="module")
def filled(browser, server):
    """Return a page each of whose tabs shows what was made there."""
    page = open_page(browser, server)
    fill_makers(page)
    fill_swap_and_compare(page)
    fill_listen(page)
    choose_tab(page, "Train")
    page.locator("#train-check").click()
    wait_for(page, "train-found", "1 track")
    import axe_core_python

    page.evaluate((Path(axe_core_python.__file__).parent / "axe.min.js").read_text())
    yield page
    page.close()


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "light"), (390, "dark")])
def test_axe_finds_nothing_serious_and_nothing_sticks_out_of_what_is_filled(filled, width, theme):
    filled.set_viewport_size({"width": width, "height": 900})
    filled.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
    found, wide = {}, {}
    for name in TABS:
        choose_tab(filled, name)
        filled.mouse.move(0, 0)
        filled.evaluate(
            "Promise.all(document.getAnimations().map(it => it.finished.catch(() => 0)))"
        )
        result = filled.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']})")
        serious = [it for it in result["violations"] if it["impact"] in ("serious", "critical")]
        found[name] = [(it["id"], it["nodes"][0]["html"]) for it in serious]
        wide[name] = filled.evaluate("document.documentElement.scrollWidth") > width
    assert found == {key: [] for key in TABS}, json.dumps(found, indent=1)
    assert not any(wide.values()), wide


def tab_to(page, name):
    """Press Tab until something has the focus, which must be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            break
    assert page.evaluate("document.activeElement.id") == name
    outline, shadow = page.evaluate(
        "(style => [style.outlineStyle, style.boxShadow])(getComputedStyle(document.activeElement))"
    )
    assert outline != "none" or shadow != "none"


def go_to(page, name):
    """Choose a tab by the keyboard alone."""
    page.get_by_role("tab", name="Make", exact=True).focus()
    for _ in TABS:
        if page.evaluate("document.activeElement.innerText").strip() == name:
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_by_role("tab", name=name, exact=True).get_attribute("aria-selected") == "true"


def test_the_keyboard_alone_makes_a_clip(page):
    page.locator("#make-prompt textarea").focus()
    page.keyboard.type("by keyboard")
    tab_to(page, "make-button")
    page.keyboard.press("Enter")
    wait_for(page, "make-facts", "by keyboard")


def test_the_keyboard_alone_shapes_a_clip(page):
    go_to(page, "Shape")
    way = page.locator("#shape-way").get_by_label("Loop")
    page.locator("#shape-way").get_by_label("Begin from it").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.locator("#shape-seconds").wait_for()
    assert way.is_checked()
    tab_to(page, "shape-button")
    page.keyboard.press("Enter")
    wait_for(page, "shape-facts", "loop: yes")


def test_the_keyboard_alone_makes_a_listening_test(page):
    go_to(page, "Listen")
    if not page.locator("#genre-name").is_visible():
        page.get_by_role("button", name="Make a test").focus()
        page.keyboard.press("Enter")
    page.locator("#genre-name textarea, #genre-name input").focus()
    page.keyboard.type("by-keyboard")
    fill(page, "genre-clips", "1")
    fill(page, "genre-seconds", "0.5")
    page.locator("#genre-seconds input").focus()
    tab_to(page, "genre-make")
    page.keyboard.press("Space")
    wait_for(page, "listen-test", "by-keyboard")
    page.locator("#listen-name textarea, #listen-name input").focus()
    page.keyboard.type("Ada")
    tab_to(page, "listen-begin")
    page.keyboard.press("Space")
    wait_for(page, "listen-question", "1 of ")


def test_a_studio_that_was_stopped_is_told_of_until_it_is_there_again(browser, nano_run, tmp_path):
    served = studio_parts.Server([nano_run], tmp_path / "gallery")
    page = open_page(browser, served)
    kept = make(page, "kept", "0.5")
    assert page.get_by_role("alert").count() == 0
    served.kill()
    banner = page.locator(".studio-stopped")
    banner.wait_for()
    assert (banner.get_attribute("role"), banner.inner_text()) == ("alert", STOPPED)
    again = studio_parts.Server([nano_run], tmp_path / "gallery", port=served.port)
    try:
        banner.wait_for(state="detached")
        assert served.clip(kept)[0]["settings"]["prompt"] == "kept"
        page.reload()
        make(page, "made afterwards", "0.5")
    finally:
        again.stop()
    assert [url for url in page.asked if not url.startswith((served.url, "blob:", "data:"))] == []
    page.close()
