"""The page in Debian's Chromium: clips made, played, shaped, swapped and judged."""

import json
import re
import time

import pytest
import studio_parts
from studio_page import choose_tab, fill, make, open_page, pick, serious_faults, told, wait_for

pytestmark = [
    pytest.mark.xdist_group("studio"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TABS = ("Make", "Gallery", "Shape", "Swap", "Listen", "Train")
EVIL = "<img src=x onerror='window.hacked=1'><b>saw</b>"


def test_a_clip_is_made_heard_while_it_is_made_and_played_with_the_right_length(page):
    make(page, "low saw chord")
    sound = page.locator("audio.studio-live")
    assert sound.evaluate("it => it.duration") == pytest.approx(2, abs=0.01)
    page.wait_for_function("document.querySelector('audio.studio-live').currentTime > 0.2")
    assert wait_for(page, "make-facts", "low saw chord").splitlines()[1].startswith("nano, seed ")
    page.locator("#make-audio").get_by_role("button", name="Play", exact=False).first.click()
    assert page.locator("#make-audio").get_by_text("0:02").is_visible()
    page.locator("#make-picture img").wait_for()


def test_prompts_and_wrong_values_are_never_html(page):
    make(page, EVIL)
    assert EVIL in wait_for(page, "make-facts", "saw")
    fill(page, "make-steps", EVIL)
    page.locator("#make-button").click()
    assert told(page) == f'steps: must be a whole number (got "{EVIL}")'
    choose_tab(page, "Gallery")
    page.locator("#gallery-pictures img").first.wait_for()
    pick(page, "gallery-clip", "img src=x")
    assert EVIL in wait_for(page, "gallery-facts", "saw")


def test_a_wrong_value_is_told_in_the_line_of_the_command_line(page):
    fill(page, "make-seconds", "-1")
    page.locator("#make-button").click()
    assert told(page) == "seconds: must be greater than 0 (got -1)"
    fill(page, "make-seconds", "5000")
    page.locator("#make-button").click()
    assert told(page) == (
        "seconds: must be at most 600, which this studio was started with (got 5000)"
    )


def test_a_clip_of_the_gallery_is_varied_continued_and_deleted(page):
    make(page, "to be varied")
    choose_tab(page, "Gallery")
    pick(page, "gallery-clip", "to be varied")
    wait_for(page, "gallery-facts", "to be varied")
    page.locator("#gallery-vary").click()
    wait_for(page, "gallery-facts", "varied from")
    page.locator("#gallery-continue").click()
    assert ", 7.0 s, " in wait_for(page, "gallery-facts", "continued from")
    page.locator("#gallery-delete").click()
    page.wait_for_function("document.querySelector('#gallery-facts textarea').value === ''")


def test_a_range_that_was_chosen_on_the_waveform_is_repainted(page):
    make(page, "to be repainted")
    choose_tab(page, "Shape")
    page.get_by_label("Repaint a range of it").check()
    pick(page, "shape-clip", "to be repainted")
    wave = page.locator("#shape-wave img")
    wave.wait_for()
    time.sleep(0.5)
    for share in (0.25, 0.75):
        box = wave.bounding_box()
        wave.click(position={"x": share * box["width"], "y": box["height"] / 2})
        name = "shape-start" if share < 0.5 else "shape-stop"
        wait_for(page, name, f"{2 * share:g}"[:3])
        time.sleep(0.5)
    fill(page, "shape-prompt", "high sine")
    page.locator("#shape-button").click()
    facts = wait_for(page, "shape-facts", "repaint a range of it from")
    start, stop = map(float, re.search(r"ranges: \['([\d.]+)-([\d.]+)'\]", facts).groups())
    assert (start, stop) == pytest.approx((0.5, 1.5), abs=0.05)


def test_a_sampler_is_swapped_heard_beside_its_like_and_a_faulty_value_told(page, server):
    choose_tab(page, "Swap")
    page.locator("#swap-steps").wait_for()
    pick(page, "swap-component", "heun")
    fill(page, "swap-prompt", "low saw chord")
    fill(page, "swap-seconds", "1")
    page.locator("#swap-steps input").wait_for()
    time.sleep(1)
    page.locator("#swap-listen").click()
    assert "swapped" not in wait_for(page, "swap-before-facts", "seed 0")
    assert "swapped: stages.generator.model.sampler.use=heun" in wait_for(
        page, "swap-after-facts", "seed 0"
    )
    page.locator("#swap-export").click()
    page.locator("#swap-recipe").get_by_text("nano-swapped").first.wait_for()
    fill(page, "swap-steps", "0")
    page.locator("#swap-listen").click()
    assert told(page) == (
        "--set stages.generator.model.sampler.steps=0: stages.generator.model.sampler.steps: "
        "must be at least 1 (got 0)"
    )


def test_a_listening_test_is_made_taken_blind_and_told_as_a_matrix(page, server):
    choose_tab(page, "Listen")
    fill(page, "genre-name", "four")
    fill(page, "genre-genres", "low saw\nhigh sine")
    fill(page, "genre-clips", "1")
    fill(page, "genre-seconds", "0.5")
    page.locator("#genre-make").click()
    wait_for(page, "listen-test", "four")
    fill(page, "listen-name", "Ada")
    page.locator("#listen-begin").click()
    for number in (1, 2):
        wait_for(page, "listen-question", f"{number} of 2: Which genre is X?")
        page.locator("#listen-x").wait_for()
        page.locator("#listen-answer").get_by_label("low saw").check()
        page.locator("#listen-next").click()
    wait_for(page, "listen-question", "thank you, Ada")
    page.locator("#listen-show").click()
    assert wait_for(page, "listen-told", "nano") == (
        "nano: 1 right of 2, 50 % (95 % interval: 9 to 91 %)"
    )
    page.locator("#listen-matrix img").wait_for()
    cells = page.locator("#listen-table").get_by_role("gridcell").all_inner_texts()
    assert [text.strip() for text in cells if text.strip()][:8] == [
        *("nano", "low saw", "1", "0"),
        *("nano", "high sine", "1", "0"),
    ]
    answers = (server.gallery / "listening" / "four" / "answers.csv").read_text().splitlines()
    assert len(answers) == 3


def test_the_keyboard_alone_makes_a_clip(page):
    page.locator("#make-prompt textarea").focus()
    page.keyboard.type("by keyboard")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "make-button":
            break
    assert page.evaluate("document.activeElement.id") == "make-button"
    page.keyboard.press("Enter")
    wait_for(page, "make-facts", "by keyboard")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(browser, server, width, theme):
    page = open_page(browser, server, width=width, theme=theme)
    found = {}
    for name in TABS:
        choose_tab(page, name)
        time.sleep(0.5)
        found[name] = serious_faults(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
    assert found == {key: [] for key in TABS}, json.dumps(found, indent=1)


def test_a_studio_that_was_stopped_is_told_of(browser, nano_run, tmp_path):
    served = studio_parts.Server([nano_run], tmp_path / "gallery")
    page = open_page(browser, served)
    served.kill()
    fill(page, "make-prompt", "x")
    page.locator("#make-button").dispatch_event("click")  # the message may lie over it already
    text = page.get_by_test_id("toast-text").first.inner_text()
    assert re.search(r"[Cc]onnection|[Cc]ould not|reach", text)
    page.close()
