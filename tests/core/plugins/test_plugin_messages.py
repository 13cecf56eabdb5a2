"""Broken plug-ins as a user meets them: in `plugins`, in a recipe's error, and nowhere else."""
# ruff: noqa: E501 (a line that is compared whole stands on one line)

import json

import pytest
from shelf import GOOD

from mousai_kit.core.plugins import installed_registry

KINDS = (
    "'mk.TextEncoder', 'mk.Conditioner', 'mk.SpectralEncoder', 'mk.UNet', 'mk.Schedule', "
    "'mk.Sampler', 'mk.Domain', "
    "'mk.Stage', 'mk.Dataset', 'mk.Embedding', 'mk.Metric' and 'mk.WeightFormat'"
)


@pytest.fixture(autouse=True)
def broken(shelf, monkeypatch):
    """One plug-in that loads and has something to be noted, one that does not, one that is off."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("MOUSAI_KIT_WITHOUT", "quiet")
    noted = GOOD.format(name="theirs").replace('"""A schedule."""', "")
    shelf.put(f"print('hello [bold]')\n{noted}", package="talker", name="talks")
    shelf.put(GOOD.format(name="odd").replace("[Made]", "[Made, '\\x1b[2J']"), package="odd-one")
    shelf.put("raise ValueError", package="quiet", name="q")
    installed_registry.cache_clear()
    yield shelf
    installed_registry.cache_clear()


def test_plug_ins_are_listed_with_a_whole_line_for_each_that_is_left_out(command, broken):
    answer = command("plugins")
    talker, odd, _ = (f"shelf/{module}.py" for module in broken.modules)
    off = "shelf/quiet-1.2.dist-info/entry_points.txt"
    assert answer.code == 0
    assert answer.err == "hello [bold]\n"
    assert answer.out.startswith("clips  mousai-kit 0.1.0\n  dataset: clips\n")
    assert answer.out.endswith(
        f"""\
talks  talker 1.2
  schedule: theirs

left out
  odd-one 1.2 (p): {odd}:11: '\\x1b[2J': is of no kind; derive it from one of {KINDS}

switched off
  quiet 1.2 (q): {off}:2: is switched off by MOUSAI_KIT_WITHOUT; take it out of there to load it

to be noted
  talker 1.2 (talks): {talker}:4: Made: has no docstring; its first line is what `mousai-kit ls` prints
"""
    )


def test_the_same_is_told_to_programs_whatever_a_plug_in_prints(command, broken):
    rows = {row["name"]: row for row in json.loads(command("plugins", "--json").out)}
    message = f"'\\x1b[2J': is of no kind; derive it from one of {KINDS}"
    file = f"{broken.folder}/{broken.modules[1]}.py"
    told = f"odd-one 1.2 (p): shelf/{broken.modules[1]}.py:11: {message}"
    assert rows["p"].pop("seconds") < 5
    assert rows["p"] == {
        "name": "p",
        "package": "odd-one",
        "version": "1.2",
        "components": [],
        "fault": message,
        "faults": [{"message": message, "file": file, "line": 11, "told": told}],
        "notes": [],
        "switched_off": False,
    }
    assert rows["q"]["switched_off"]
    assert rows["talks"]["notes"][0]["line"] == 4


def test_a_recipe_that_needs_what_was_left_out_says_so(command):
    use = "stages.generator.model.schedule.use={}"
    answer = command("validate", "mousai-tiny", "--set", use.format("odd"))
    assert answer.code == 2
    assert answer.err.splitlines()[1:] == [
        "--set stages.generator.model.schedule.use=odd: stages.generator.model.schedule.use: no schedule is called 'odd'; odd-one 1.2 (p), which offers it, was left out: see `mousai-kit plugins`"
    ]
    answer = command("validate", "mousai-tiny", "--set", use.format("cosin"))
    assert answer.err.splitlines() == [
        "--set stages.generator.model.schedule.use=cosin: stages.generator.model.schedule.use: no schedule is called 'cosin'; did you mean 'cosine'?; 2 plug-ins were left out: see `mousai-kit plugins`"
    ]


def test_what_does_not_need_them_works(command):
    assert command("show", "cosine").code == 0
    assert {"theirs", "cosine"} <= {it["name"] for it in json.loads(command("ls", "--json").out)}
