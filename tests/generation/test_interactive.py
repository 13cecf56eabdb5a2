"""A prompt a line: the weights are loaded once, a line that can't be made is told and passed by."""

import io
import json

import nano
import pytest

from mousai_kit import audio
from mousai_kit.runs.run import Run


@pytest.fixture
def lines(trained, monkeypatch, capfd):
    """Return a function that gives lines to `generate --interactive`, and what it answers."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())

    def given(text, *options):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return nano.call(capfd, "generate", trained, "--interactive", *options)

    return given


def test_each_line_is_a_clip_and_blank_lines_are_none(lines, trained):
    answer = lines("low saw chord\n\n  high sine  \n")
    files = [trained / "audio" / f"{name}-0.flac" for name in ("low-saw-chord", "high-sine")]
    assert (answer.code, answer.out.split()) == (0, [str(path) for path in files])
    assert [audio.read_tags(path)["prompt"] for path in files] == ["low saw chord", "high sine"]


def test_the_weights_are_loaded_once(lines, monkeypatch):
    loaded, load = [], Run.load_for_inference
    monkeypatch.setattr(
        Run, "load_for_inference", lambda run, **how: loaded.append(1) or load(run, **how)
    )
    assert lines("a\nb\nc\n").code == 0
    assert loaded == [1]


def test_options_are_those_of_every_line(lines):
    answer = lines("low saw\nhigh sine\n", "--seed", "7", "--count", "2", "--json")
    found = [json.loads(part) for part in answer.out.replace("]\n[", "]\0[").split("\0")]
    assert [[clip["seed"] for clip in clips] for clips in found] == [[7, 8], [7, 8]]


def test_a_line_that_can_not_be_made_is_told_and_the_next_is_made(lines, monkeypatch):
    from mousai_kit.core.errors import RequestError
    from mousai_kit.generation import generate as making

    jobs = making.jobs_of

    def refusing(system, texts, **settings):
        if "no" in texts:
            raise RequestError("this can't be made")
        return jobs(system, texts, **settings)

    monkeypatch.setattr(making, "jobs_of", refusing)
    answer = lines("no\nlow saw\n")
    assert (answer.code, answer.err.splitlines()[-1]) == (0, "this can't be made")
    assert answer.out.endswith("low-saw-0.flac\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["Techno"], "--interactive: prompts come line by line; leave them out here"),
        (["--seconds", "-1"], "--seconds: must be a number above 0 (got -1)"),
    ],
)
def test_options_that_can_not_be_are_told_before_the_first_line(lines, options, message):
    answer = lines("low saw\n", *options)
    assert (answer.code, answer.out, answer.err) == (2, "", f"{message}\n")
