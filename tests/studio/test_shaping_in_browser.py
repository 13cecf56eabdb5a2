"""The page in Chromium: clips made again, begun from files and hums, blended, taken home."""

import re

import numpy as np
import pytest
import soundfile
import studio_parts
from studio_page import (
    bring,
    cancel,
    choose_tab,
    fill,
    make,
    pick,
    press,
    press_after_cancel,
    take,
    wait_for,
)

from mousai_kit import audio

pytestmark = [
    pytest.mark.xdist_group("studio"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def shape(page, server):
    """Return a function that shapes a clip in some way; it returns facts, record and samples."""
    choose_tab(page, "Shape")

    def make_so(way, *, system="nano", clip=None, file=None, prompt="high sine", **fields):
        pick(page, "shape-system", f"^{system}$")
        page.locator("#shape-way").get_by_label(way).check()
        if clip:
            pick(page, "shape-clip", clip)
        if file:
            bring(page, "shape-file", file)
            page.wait_for_function("document.querySelector('#shape-clip input').value === ''")
        for name, value in {"prompt": prompt, **fields}.items():
            fill(page, f"shape-{name}", value)
        facts = press(page, "shape")
        return facts, *server.clip(facts)

    return make_so


def slide(page, name, value):
    """Set a slider by the number beside it."""
    number = page.locator(f"#{name} input[type=number]")
    number.fill(str(value))
    number.blur()


def test_a_seed_that_is_kept_makes_the_same_clip_twice_and_a_negative_prompt_another(page, server):
    page.get_by_label("Draw a seed each time").uncheck()
    fill(page, "make-seed", "11")
    first, again = (server.clip(make(page, "to be the same", "0.5"))[1] for _ in range(2))
    assert np.array_equal(first, again)
    fill(page, "make-negative", "high sine")
    facts = press(page, "make")
    assert "negative: high sine" in facts.splitlines()
    record, other = server.clip(facts)
    assert record["settings"]["controls"] == {"negative": "high sine"}
    assert not np.array_equal(first, other)


def test_three_clips_have_seeds_that_count_up(page, server):
    page.get_by_label("Draw a seed each time").uncheck()
    fill(page, "make-seed", "21")
    slide(page, "make-count", 3)
    make(page, "three of them", "0.5")
    wait_for(page, "make-facts", "seed 23")
    choose_tab(page, "Gallery")
    page.locator("#gallery-clip input").click()
    found = page.get_by_role("option", name=re.compile("three of them")).all_inner_texts()
    assert [re.search(r"seed (\d+)", it)[1] for it in found] == ["23", "22", "21"]


def test_a_clip_that_was_cancelled_leaves_nothing_and_the_next_one_can_be_made(page, server):
    fill(page, "make-prompt", "never finished")
    fill(page, "make-seconds", "600")
    page.locator("#make-button").click()
    cancel(page, "make")
    fill(page, "make-prompt", "next")
    fill(page, "make-seconds", "1")
    press_after_cancel(page, "make")
    assert wait_for(page, "make-facts", "next").splitlines()[0] == "next"
    records = (server.gallery / "clips").glob("*/clip.json")
    assert not [it for it in records if "never finished" in it.read_text()]
    assert list((server.gallery / ".studio-making").glob("2*")) == []


@pytest.mark.parametrize("suffix", ["flac", "wav", "ogg"])
def test_a_clip_is_taken_home_with_its_samples_and_tags(page, server, tmp_path, suffix):
    _, samples = server.clip(make(page, f"home as {suffix}", "0.5"))
    button = page.locator("#make-download")
    if suffix != "flac":
        pick(page, "make-download-as", suffix)
    button.get_by_text(f"Download {suffix.upper()}").wait_for()
    taken = take(page, button)
    file = tmp_path / taken.suggested_filename
    assert file.suffix == f".{suffix}"
    taken.save_as(file)
    heard, _ = soundfile.read(file, always_2d=True)
    assert heard.shape == samples.shape
    exact = {"flac": 0, "wav": 1e-6, "ogg": 0.05}
    assert np.abs(heard - samples).max() <= exact[suffix]
    assert audio.read_tags(file)["prompt"] == f"home as {suffix}"
    make(page, "the next one is as it was made", "0.5")
    button.get_by_text("Download FLAC").wait_for()
    assert page.locator("#make-download-as input").input_value() == "flac"


def test_an_adapter_changes_the_clip_and_its_facts_say_so(page, shape):
    facts, _, plain = shape("Loop", seconds="0.5")
    assert "loop: yes" in facts.splitlines()
    assert "adapter" not in facts
    slide(page, "shape-adapter-1", 1)
    facts, record, adapted = shape("Loop", seconds="0.5")
    assert "adapter: tuned, strength 1" in facts.splitlines()
    assert record["settings"]["adapters"] == {"tuned": 1.0}
    assert not np.array_equal(plain, adapted)


def test_a_clip_begins_from_a_file_as_far_as_its_strength_says(page, server, shape, tmp_path):
    file = studio_parts.tone(tmp_path / "mine.wav", seconds=1.5)
    slide(page, "shape-strength", 0)
    facts, record, samples = shape("Begin from it", file=file)
    assert re.search(r"^source: upload:[0-9a-f]{12}\.wav$", facts, re.MULTILINE)
    assert "strength: 0" in facts.splitlines()
    assert record["seconds"] == 1.5
    slide(page, "shape-strength", 0.8)
    facts, _, other = shape("Begin from it")
    assert "strength: 0.8" in facts.splitlines()
    assert not np.array_equal(samples, other)


def test_a_file_is_continued_by_as_many_seconds(page, shape, tmp_path):
    file = studio_parts.tone(tmp_path / "mine.wav", seconds=1.0)
    choose_tab(page, "Make")
    make(page, "chosen before the file")
    choose_tab(page, "Shape")
    page.locator("#shape-way").get_by_label("Continue it").check()
    pick(page, "shape-clip", "chosen before the file")
    facts, record, samples = shape("Continue it", file=file, seconds="0.5")
    assert re.search(r"^extend: upload:[0-9a-f]{12}\.wav$", facts, re.MULTILINE)
    assert "continue it" in facts.splitlines()
    assert record["seconds"] == 1.5
    heard, _ = soundfile.read(file, always_2d=True)
    assert np.abs(samples[:4000] - heard[:4000]).max() < 1e-3


def test_two_prompts_are_blended(page, shape):
    facts, record, _ = shape("Blend two prompts", blend="low saw", seconds="0.5")
    assert "blend: low saw" in facts.splitlines()
    assert record["settings"]["controls"] == {"blend": "low saw"}
    slide(page, "shape-share", 0.25)
    facts, _, _ = shape("Blend two prompts", blend="low saw", seconds="0.5")
    assert "blend_at: 0.25" in facts.splitlines()


def test_a_melody_that_is_hummed_into_the_microphone_is_followed(page, server, shape):
    pick(page, "shape-system", "^hummer$")
    page.locator("#shape-way").get_by_label("Hum a melody").check()
    recorder = page.locator("#shape-file")
    recorder.get_by_label("Record audio").click()
    recorder.get_by_role("button", name="Record", exact=True).click()
    recorder.locator("time", has_text="0:02").wait_for()
    recorder.get_by_role("button", name="Stop", exact=True).click()
    recorder.get_by_role("button", name="Play").first.wait_for()
    facts, record, _ = shape("Hum a melody", system="hummer", seconds="0.5")
    assert "hum a melody" in facts.splitlines()
    reference = record["settings"]["controls"]["conditions"]["melody"]
    assert f"conditions: melody of {reference}" in facts.splitlines()
    heard, rate = soundfile.read(server.gallery / "uploads" / reference.removeprefix("upload:"))
    assert len(heard) > rate
    assert np.abs(heard).max() > 0.1
    pick(page, "shape-system", "^nano$")
    page.locator("#shape-way").get_by_label("Hum a melody").wait_for(state="detached")
