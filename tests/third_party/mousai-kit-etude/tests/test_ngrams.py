"""ngrams: hashes that are the same everywhere, words that share what they share."""

from __future__ import annotations

import pytest
import torch
from mousai_kit.testing import TextEncoderContract
from pydantic import ValidationError

from mousai_kit_etude.ngrams import NGrams, fnv1a

SMALL = {"features": 8, "tokens": 6, "buckets": 512}


class TestNGrams(TextEncoderContract):
    component = NGrams
    options = SMALL


def encoder(**changes: int) -> NGrams:
    torch.manual_seed(0)
    return NGrams(NGrams.Options(**{**SMALL, **changes}))


@pytest.mark.parametrize(
    ("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)]
)
def test_the_hash_is_fnv_1a(text: str, value: int) -> None:
    assert fnv1a(text) == value


def test_case_and_punctuation_change_nothing() -> None:
    text = encoder()(["Ambient, slow!", "ambient slow"])
    assert torch.equal(text.embedding[0], text.embedding[1])
    assert text.mask.tolist() == [[True, True, False, False, False, False]] * 2


def test_words_that_share_letters_are_nearer_than_others() -> None:
    (words,) = encoder(features=64, buckets=65536)(["ambient ambience drums"]).embedding
    ambient, ambience, drums = words[:3]
    near, far = (torch.cosine_similarity(ambient, it, 0) for it in (ambience, drums))
    assert near > 0.3 > far


def test_n_grams_are_of_the_sizes_that_the_options_say() -> None:
    found = set(encoder(shortest=2, longest=3)._word("rock"))
    grams = ["<rock>", "<r", "ro", "oc", "ck", "k>", "<ro", "roc", "ock", "ck>"]
    assert found == {1 + fnv1a(gram) % 512 for gram in grams}


def test_the_longest_n_grams_are_no_shorter_than_the_shortest() -> None:
    with pytest.raises(ValidationError, match=r"longest must be at least shortest \(4\)"):
        NGrams.Options(shortest=4, longest=3)
