"""The page in Chromium: systems side by side, and a reconstruction told from music, or not."""

import csv

import pytest
import studio_parts
from studio_page import (
    bring,
    cancel,
    choose_tab,
    fill,
    make,
    pick,
    press_after_cancel,
    take,
    told,
    wait_for,
)

pytestmark = [
    pytest.mark.xdist_group("studio"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def comparing(page):
    choose_tab(page, "Compare")
    fill(page, "compare-prompts", "low saw\n\nhigh sine")
    fill(page, "compare-seconds", "1")
    return page


def labels(row):
    return [text.strip() for text in row.get_by_test_id("block-label").all_inner_texts()]


def test_two_systems_on_two_prompts_are_four_players_in_rows_by_prompt(comparing):
    comparing.locator("#compare-button").click()
    rows = comparing.locator(".compare-row")
    rows.nth(1).get_by_test_id("block-label").nth(1).wait_for()
    assert rows.count() == 2
    for row, prompt in zip(rows.all(), ("low saw", "high sine"), strict=True):
        begins = [label.split(" - ")[0] for label in labels(row)]
        assert begins == [f"nano: {prompt}", f"hummer: {prompt}"]
        sounds = row.get_by_role("button", name="Play", exact=True)
        sounds.nth(1).wait_for()
        assert sounds.count() == 2


def test_one_system_is_no_comparison(comparing):
    comparing.locator("#compare-systems").get_by_label("hummer").uncheck()
    comparing.locator("#compare-button").click()
    assert told(comparing) == "systems: choose 2 to 4 that differ (got 1)"


def test_a_comparison_that_was_cancelled_frees_the_place(comparing, server):
    fill(comparing, "compare-prompts", "never compared")
    fill(comparing, "compare-seconds", "600")
    comparing.locator("#compare-button").click()
    cancel(comparing, "compare")
    fill(comparing, "compare-prompts", "next")
    fill(comparing, "compare-seconds", "1")
    press_after_cancel(comparing, "compare")
    comparing.locator(".compare-row").get_by_test_id("block-label").nth(1).wait_for()
    records = (server.gallery / "clips").glob("*/clip.json")
    assert not [it for it in records if "never compared" in it.read_text()]


def take_test(page, name, listener, answers):
    """Take an ABX test to its end."""
    wait_for(page, "listen-test", name)
    fill(page, "listen-name", listener)
    page.locator("#listen-begin").click()
    for number, answer in enumerate(answers, 1):
        wait_for(page, "listen-question", f"{number} of {len(answers)}: Which one is X: A, or B?")
        for sound in ("a", "b", "x"):
            page.locator(f"#listen-{sound} audio").wait_for()
            assert not page.locator(f"#listen-{sound} [id=waveform]").count()
        if number == 1:
            page.locator("#listen-next").click()
            assert told(page) == "answer: choose one first"
        page.locator("#listen-answer").get_by_label(answer, exact=True).check()
        page.locator("#listen-next").click()
    wait_for(page, "listen-question", f"thank you, {listener}")
    page.locator("#listen-show").click()


def open_makers(page):
    choose_tab(page, "Listen")
    if not page.locator("#abx-name").is_visible():
        page.get_by_role("button", name="Make a test").click()


def test_an_abx_test_of_an_uploaded_file_is_taken_told_with_p_and_its_answers_taken_home(
    page, server, tmp_path
):
    open_makers(page)
    fill(page, "abx-name", "brought")
    bring(page, "abx-file", studio_parts.tone(tmp_path / "mine.wav", seconds=1.0))
    fill(page, "abx-trials", "3")
    page.locator("#abx-make").click()
    take_test(page, "brought", "Ada", ["A", "A", "A"])
    said = wait_for(page, "listen-told", "p = ")
    taken = take(page, page.locator("#listen-csv a").first)
    taken.save_as(tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert taken.suggested_filename == "brought.csv"
    assert [(it["listener"], it["system"], it["heard"]) for it in rows] == [
        ("Ada", "nano", "A")
    ] * 3
    right = sum(it["right"] == "A" for it in rows)
    chance = sum([1, 3, 3, 1][right:]) / 8
    assert said.startswith(f"nano: {right} right of 3, {100 * right / 3:.0f} % (95 % interval: ")
    assert said.endswith(f"by guessing so many or more: p = {chance:.3f}")


def test_an_abx_test_of_a_clip_is_made_and_one_of_nothing_is_not(page, server):
    make(page, "to be told apart", "1")
    open_makers(page)
    fill(page, "abx-name", "of-a-clip")
    page.locator("#abx-make").click()
    assert told(page) == "sources: choose a clip, or bring a file"
    pick(page, "abx-clip", "to be told apart")
    fill(page, "abx-trials", "1")
    page.locator("#abx-make").click()
    take_test(page, "of-a-clip", "Bo", ["B"])
    assert "right of 1" in wait_for(page, "listen-told", "p = ")
