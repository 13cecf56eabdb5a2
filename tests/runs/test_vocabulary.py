"""Words of a prompt that a system never saw are told, with those that it knows."""

import nano
import pytest
from safetensors.torch import load_file

import mousai_kit.api as mk
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.vocabulary import cut_captions_told, cut_prompts_told, unknown_words_told


@pytest.fixture(scope="module")
def cascade(trained_once):
    return mk.load(trained_once, quiet=True)


def told(cascade, *prompts):
    return list(unknown_words_told(cascade, prompts))


def test_a_prompt_of_known_words_says_nothing(cascade):
    assert told(cascade, "low saw chord", "LOW, Saw!", "") == []


def test_new_words_are_told_by_prompt_and_then_what_it_knows(cascade):
    *lines, known = told(cascade, "polka, low waltz", "low", "polka, low waltz", "a\nviola")
    assert lines == [
        "'polka, low waltz': of these words the system never saw 'polka' and 'waltz'",
        r"'a\nviola': of these words the system never saw 'a' and 'viola'",
    ]
    words = cascade.stages["generator"].text.known_words()
    assert known == f"it saw {len(words)} words, most often {', '.join(words[:12])}"


def test_many_prompts_and_long_ones_are_told_in_short(cascade):
    lines = told(cascade, " ".join(f"new{number:080}" for number in range(20)), *"abcdefg")
    assert lines[0] == (
        f"'new{'0' * 52}...': of these words the system never saw "
        + ", ".join(["'new" + "0" * 27 + "'"] * 11)
        + f" and 'new{'0' * 27}' and 8 more"
    )
    assert lines[5] == "and 3 more prompts have words that it never saw"
    assert len(lines) == 7


def test_weights_without_words_say_nothing(trained):
    recipe, folder = nano.recipe(), RunFolder(trained)
    path = folder.stage("generator").weights
    encoder = mk.load(trained, quiet=True).stages["generator"].text
    encoder.words = None
    old = load_file(path) | {"text._extra_state": encoder.get_extra_state()}
    header = folder.provenance(recipe, "generator") | {"step": 4, "seconds": 1.0}
    checkpoint.write_checkpoint(path, old, header)
    assert told(mk.load(trained, quiet=True), "polka") == []


def test_a_system_that_reads_no_text_says_nothing(here):
    assert told(nano.system(text=nano.AUTOENCODER_ONLY).cascade, "polka") == []


def test_generate_says_so(trained, command):
    said = command("generate", trained, "low polka", "--seconds", 0.2)
    assert said.code == 0
    assert said.err.splitlines()[0] == ("'low polka': of these words the system never saw 'polka'")


LONG = " ".join(["low saw chord"] * 5)
"""Its 15 words are as many as are read: the sixteenth token is the end."""


def test_a_prompt_that_is_read_whole_says_nothing(cascade):
    assert list(cut_prompts_told(cascade, [LONG, ""])) == []


def test_where_a_prompt_ends_is_told_and_what_is_not_read(cascade):
    (line,) = cut_prompts_told(cascade, [f"{LONG} with a slow\nwaltz", LONG, "low"])
    assert line == (
        "'low saw chord low saw chord low saw chord low saw chord...': ends at "
        "'...low saw chord low saw chord', after 16 tokens; not read is 'with a slow\\nwaltz'; "
        "say it in fewer words"
    )


def test_of_many_prompts_that_are_cut_five_are_told(cascade):
    lines = list(cut_prompts_told(cascade, [f"{LONG} {letter}" for letter in "abcdefg"]))
    assert lines[5:] == ["and 2 more prompts are cut"]


def test_captions_that_are_cut_are_counted_once_each(cascade):
    stage, captions = cascade.stages["generator"], [f"{LONG} a", "low", f"{LONG} a", f"{LONG} b"]
    assert list(cut_captions_told(stage, captions)) == [
        (
            "2 of 3 captions are cut; 'low saw chord low saw chord low saw chord low saw chord...' "
            "ends at '...low saw chord low saw chord', after 16 tokens; not read is 'a'; raise "
            "`tokens`, or shorten them"
        )
    ]
    assert list(cut_captions_told(stage, ["low"])) == []
    assert list(cut_captions_told(cascade.stages["autoencoder"], captions)) == []


def test_generate_says_where_a_prompt_ends(trained, command):
    said = command("generate", trained, f"{LONG} chord", "--seconds", 0.2)
    assert said.err.splitlines()[0].endswith("not read is 'chord'; say it in fewer words")


@pytest.mark.parametrize("start", [[], ["--set", "stages.generator.weights=first"]])
def test_a_training_says_how_many_captions_are_cut_when_it_begins(here, command, start):
    """Also one that starts from given weights, which measures nothing else."""
    (here / "r.yaml").write_text(nano.RECIPE)
    short = ["--set", "stages.generator.model.text.tokens=3"]
    if start:
        assert command("run", "r.yaml", *short, "--out", "first").code == 0
    said = [command("run", "r.yaml", *short, "--out", "second", *start) for _ in range(2)]
    (line,) = [line for line in said[0].err.splitlines() if "captions are cut" in line]
    assert line == (
        "generator: 4 of 4 captions are cut; 'low saw chord, slow' ends at 'low saw', after 3 "
        "tokens; not read is 'chord, slow'; raise `tokens`, or shorten them"
    )
    assert "captions are cut" not in said[1].err
