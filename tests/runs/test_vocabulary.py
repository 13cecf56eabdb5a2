"""Words of a prompt that a system never saw are told, with those that it knows."""

import nano
import pytest
from safetensors.torch import load_file

import mousai_kit.api as mk
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.vocabulary import unknown_words_told


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
        f"'new{'0' * 53}...: of these words the system never saw "
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
