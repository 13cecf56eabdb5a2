"""The page in Debian's Chromium: clips made, played, shaped, swapped and judged."""

import re

import pytest
from studio_page import choose_tab, fill, make, pick, told, wait_for

pytestmark = [
    pytest.mark.xdist_group("studio"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
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
    fill(page, "make-steps", "--5")
    page.locator("#make-button").click()
    assert told(page) == "steps: must be a whole number (got '--5')"
    progress = page.get_by_label("Progress", exact=True).locator("visible=true")
    assert progress.input_value() == "it failed; the message says why"


def test_a_clip_of_the_gallery_is_varied_continued_and_deleted(page):
    make(page, "to be varied")
    choose_tab(page, "Gallery")
    fill(page, "gallery-page", "-1")
    page.locator("#gallery-vary").click()
    assert told(page) == "clip: choose one of the gallery first"
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
    for share in (0.25, 0.75):
        page.wait_for_function("document.querySelector('#shape-wave img').complete")
        box, seen = wave.bounding_box(), wave.get_attribute("src")
        wave.click(position={"x": share * box["width"], "y": box["height"] / 2})
        name = "shape-start" if share < 0.5 else "shape-stop"
        wait_for(page, name, f"{2 * share:g}"[:3])
        page.wait_for_function(
            "seen => document.querySelector('#shape-wave img').src !== seen", arg=seen
        )
    fill(page, "shape-prompt", "high sine")
    page.locator("#shape-button").click()
    facts = wait_for(page, "shape-facts", "repaint a range of it from")
    start, stop = map(float, re.search(r"ranges: ([\d.]+)-([\d.]+)", facts).groups())
    assert (start, stop) == pytest.approx((0.5, 1.5), abs=0.05)
    fill(page, "shape-stop", "")
    page.locator("#shape-button").click()
    assert told(page) == "ranges: say from which second, and to which"
    wave.click(position={"x": 0.5 * wave.bounding_box()["width"], "y": 9})
    wait_for(page, "shape-stop", "1")


def test_a_sampler_is_swapped_heard_beside_its_like_and_a_faulty_value_told(page, server):
    choose_tab(page, "Swap")
    page.locator("#swap-steps").wait_for()
    pick(page, "swap-component", "heun")
    fill(page, "swap-prompt", "low saw chord")
    fill(page, "swap-seconds", "1")
    wait_for(page, "swap-steps", "39")  # heun's own
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
    page.locator("#genre-systems").get_by_label("hummer").uncheck()
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
