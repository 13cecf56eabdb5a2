"""Comparisons and listening tests by endpoints, and what they keep from a listener."""

import csv
import io
import json
import re
import shutil

import pytest
import soundfile
import studio_api
import studio_parts

from mousai_kit.audio import read_tags

pytest.importorskip("gradio")
pytestmark = pytest.mark.xdist_group("studio")


@pytest.fixture(scope="module")
def server(nano_run, tmp_path_factory):
    """Return a studio with two systems, whose clips are the same."""
    folder = tmp_path_factory.mktemp("two")
    other = shutil.copytree(nano_run, folder / "other")
    served = studio_parts.Server([nano_run, other], folder / "gallery")
    yield served
    assert "Traceback" not in served.stop()


def ask(server, name, /, **values):
    return studio_api.ask(server, name, **values)


def take(server, path, test, listener, letter):
    """Return what a listener hears, and where it was found."""
    file = ask(server, "trial_sound", test=test, listener=listener, sound=letter)
    path.write_bytes(studio_api.take(server, file))
    return file


def test_systems_are_compared_on_the_same_prompts_and_seed(server):
    asked = {"systems": ["nano", "other"], "prompts": ["low saw", "high sine"], "seconds": 0.5}
    states = studio_api.events(server, "/api", "compare", asked | {"seed": 4})
    clips = ask(server, "clips", limit=4)[::-1]
    assert [it["key"] for it in states[-2][1][0]["clips"]] == [it["key"] for it in clips]
    assert [(it["settings"]["system"], it["settings"]["prompt"]) for it in clips] == [
        (system, prompt) for prompt in asked["prompts"] for system in asked["systems"]
    ]
    assert {it["settings"]["seed"] for it in clips} == {4}


def test_a_test_of_genres_is_made_taken_and_told(server):
    genres = ["low saw", "high sine"]
    asked = {"name": "two", "systems": ["nano", "other"], "genres": genres, "clips": 1}
    ask(server, "genre_test", **asked, seconds=0.5)
    told = {"name": "two", "kind": "genres", "answers": genres, "trials": 4}
    assert told in ask(server, "tests")
    trial, numbers = ask(server, "trial", test="two", listener="Ada"), []
    while trial["trial"] is not None:
        assert (trial["total"], trial["question"]) == (4, "Which genre is X?")
        assert (trial["answers"], trial["sounds"]) == (genres, ["X"])
        numbers.append(trial["trial"])
        said = {"test": "two", "listener": "Ada", "trial": trial["trial"], "heard": "low saw"}
        trial = ask(server, "answer", **said)
    assert numbers == [1, 2, 3, 4]
    results = ask(server, "results", test="two")
    assert results["answers"] == genres
    assert [(it["system"], it["right"], it["total"]) for it in results["systems"]] == [
        ("nano", 1, 2),
        ("other", 1, 2),
    ]
    first = results["systems"][0]
    assert (first["accuracy"], first["counts"]) == (0.5, [[1, 0], [1, 0]])
    assert first["interval"] == pytest.approx([0.0945, 0.9055], abs=1e-3)
    assert results["summary"].startswith("nano: 1 right of 2, 50 % (95 % interval: 9 to 91 %)\n")
    rows = list(csv.DictReader(io.StringIO(results["csv"])))
    assert [row["heard"] for row in rows] == ["low saw"] * 4
    assert studio_api.refusal(server, "answer", said) == "trial: Ada has answered it already"
    sound = {"test": "two", "listener": "Ada", "sound": "X"}
    assert studio_api.refusal(server, "trial_sound", sound) == "sound=X: there is no trial left"


def test_nothing_that_a_listener_is_given_tells_a_system_or_a_prompt(server, tmp_path):
    genres = ["fast saw", "slow sine"]
    asked = {"name": "blind", "systems": ["nano"], "genres": genres, "clips": 1, "seconds": 0.5}
    ask(server, "genre_test", **asked)
    path = tmp_path / "taken.wav"
    for number in (1, 2):
        trial = ask(server, "trial", test="blind", listener="Bo")
        assert set(trial) == {
            *("test", "listener", "trial", "total", "question", "answers", "sounds")
        }
        file = take(server, path, "blind", "Bo", "X")
        assert file["orig_name"] == "X.wav"
        assert not re.search(r"nano|saw|sine|\d{8}-\d{6}", json.dumps(file))
        assert read_tags(path) == {}
        assert not re.search(rb"nano|saw|sine|mousai", path.read_bytes())
        ask(server, "answer", test="blind", listener="Bo", trial=number, heard="fast saw")


def test_x_has_the_samples_of_a_or_b_and_nothing_else_of_theirs(server, tmp_path):
    made = ask(server, "make", system="nano", prompt="low saw", seconds=0.5, seed=1)["clips"][0]
    source = f"clip:{made['key']}"
    ask(server, "abx_test", name="abx", system="nano", sources=[source], trials=4)
    seen, stored = set(), json.loads((server.gallery / "listening/abx/test.json").read_text())
    rights = []
    for number in range(1, 5):
        trial = ask(server, "trial", test="abx", listener="Cy")
        assert (trial["question"], trial["sounds"]) == ("Which one is X: A, or B?", ["A", "B", "X"])
        waves, sizes = {}, set()
        for letter in "ABX":
            path = tmp_path / f"{letter}.wav"
            file = take(server, path, "abx", "Cy", letter)
            assert file["orig_name"] == f"{letter}.wav"
            assert read_tags(path) == {}
            seen |= {file["url"].removesuffix(file["orig_name"]), path.read_bytes()}
            sizes.add(path.stat().st_size)
            waves[letter] = soundfile.read(path, dtype="int32")[0]
        assert len(sizes) == 1
        right = "A" if (waves["X"] == waves["A"]).all() else "B"
        wrong = "AB".replace(right, "")
        assert (waves["X"] == waves[right]).all()
        assert (waves["X"] != waves[wrong]).any()
        rights.append(right)
        ask(server, "answer", test="abx", listener="Cy", trial=number, heard=right)
    assert len(seen) == 4 * 3 * 2
    assert sorted(rights) == sorted(clip["right"] for clip in stored["clips"])
    results = ask(server, "results", test="abx")
    assert results["p"] == 1 / 16
    assert results["systems"][0]["interval"] == pytest.approx([0.51, 1], abs=0.01)
    assert results["summary"] == (
        "nano: 4 right of 4, 100 % (95 % interval: 51 to 100 %)\n"
        "by guessing so many or more: p = 0.062"
    )


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        (
            "compare",
            {"systems": ["nano", "nano"], "prompts": ["x"]},
            "systems: choose 2 to 4 that differ (got 2)",
        ),
        (
            "compare",
            {"systems": ["nano", "other"], "prompts": ["x"] * 101},
            "prompts: a comparison has 200 clips at most (got 101 for each system)",
        ),
        (
            "genre_test",
            {"name": "g", "systems": ["nano"], "genres": ["a", "b"], "clips": 10**12},
            "clips: a test has 1 to 200 (got 2000000000000)",
        ),
        (
            "abx_test",
            {"name": "../x", "system": "nano", "sources": ["clip:x"]},
            "name: must be small letters, digits and hyphens, such as genres-1",
        ),
        ("trial", {"test": "none", "listener": "Ada"}, "test: there is no listening test 'none'"),
        ("results", {"test": "../four"}, "test: there is no listening test '../four'"),
    ],
)
def test_what_is_none_is_refused_in_a_line(server, name, values, line):
    assert studio_api.refusal(server, name, values) == line
