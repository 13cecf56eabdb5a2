"""The contract of text encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component
from mousai_kit.core.interfaces import TextEmbedding, TextEncoder
from mousai_kit.testing.assertions import (
    assert_alike,
    assert_differs,
    assert_finite,
    forwards_texts,
)
from mousai_kit.testing.network import NetworkContract, check_sizes, perturb

ODD = ("\U0001f3b8", "\ud800", "e\u0301", "\u0645", "a\x00b")
"""An emoji, half a pair of surrogates, a combining accent, Arabic, and a null."""
PROMPTS = ("", "drums", "a calm piano, 120 bpm", "drums " * 2000, "x" * 10_000, "a\nb\r\n\t", *ODD)


class TextEncoderContract(NetworkContract):
    """What every text encoder keeps to."""

    interface: ClassVar[type[Component]] = TextEncoder
    captions: ClassVar[Sequence[str]] = (
        "a calm piano, 120 bpm",
        "loud metal guitars, drums",
        "drums, electronic, 1 of 4",
        "slow strings, ambient, 2 of 4",
    )
    """Captions from which it may learn a vocabulary, and prompts whose encodings must differ."""

    def fresh(self, *, seed: int = 0) -> Any:
        """Return the encoder as it is built."""
        return forwards_texts(self.build(seed=seed))

    def network(self, *, seed: int = 0) -> Any:
        """Return the encoder, ready, prepared, stirred and out of training."""
        encoder = self.fresh(seed=seed)
        encoder.download()
        encoder.fit_statistics(self.captions)
        return perturb(encoder).eval()

    def inputs(self, *, device: str = "cpu") -> Sequence[Any]:
        """Return prompts, which are on no device."""
        return self.captions

    def answer(self, network: Any, inputs: Sequence[Any]) -> Tensor:
        """Return the embeddings [b, n, d], 0 where masked."""
        return _visible_embeddings(network(inputs))

    def encode(self, prompts: Sequence[str], **more: Any) -> TextEmbedding:
        """Return prompts encoded by a network of its own."""
        with torch.no_grad():
            text: TextEmbedding = self.network(**more)(prompts)
        return text

    def test_a_text_has_the_shape_and_type_that_is_told(self) -> None:
        encoder = self.network()
        for prompts in (["drums"], ["drums", ""], list(PROMPTS)):
            text, sizes = encoder(prompts), (len(prompts), encoder.tokens)
            rule = "embedding must be [b, tokens, features]"
            assert tuple(text.embedding.shape) == (*sizes, encoder.features), rule
            assert tuple(text.mask.shape) == sizes, "mask must be [b, tokens]"
            assert text.mask.dtype == torch.bool, "mask must be of booleans, true where real"
            assert text.embedding.dtype == torch.float32, "embedding must be float32"

    def test_an_empty_prompt_is_allowed(self) -> None:
        heard = _visible_embeddings(self.encode([""]))
        assert_finite(heard, "an empty prompt must have a finite encoding")

    def test_any_text_is_encoded_finitely(self) -> None:
        for prompt, heard in zip(PROMPTS, _visible_embeddings(self.encode(PROMPTS)), strict=True):
            assert_finite(heard, f"every text must have a finite encoding (got {prompt[:20]!r})")

    def test_every_prompt_with_words_has_a_real_token(self) -> None:
        real = self.encode(self.captions).mask.any(1)
        assert real.all(), "mask must be true at some token of a prompt, or nothing is heard of it"

    def test_different_prompts_have_different_encodings(self) -> None:
        heard = _visible_embeddings(self.encode(self.captions))
        for place, one in enumerate(heard):
            for other in heard[place + 1 :]:
                assert_differs(one, other, "different prompts must have different encodings")

    def test_a_prompts_encoding_does_not_depend_on_its_place_in_a_batch(self) -> None:
        encoder = self.network()
        with torch.no_grad():
            text, turned = encoder(self.captions), encoder(self.captions[::-1])
        rule = "a prompt must be encoded alike wherever it stands in a batch"
        assert torch.equal(text.mask, turned.mask.flip(0)), rule
        assert_alike(_visible_embeddings(turned).flip(0), _visible_embeddings(text), rule)

    def test_a_prompts_encoding_does_not_depend_on_the_others(self) -> None:
        encoder = self.network()
        prompts = ["drums", *PROMPTS]
        with torch.no_grad():
            together = encoder(prompts)
            alone = TextEmbedding.concatenate(*(encoder([prompt]) for prompt in prompts))
        rule = "a prompt must be encoded alike alone and beside others, longer ones too"
        assert torch.equal(together.mask, alone.mask), rule
        assert_alike(_visible_embeddings(together), _visible_embeddings(alone), rule)

    def test_a_long_prompt_is_cut(self) -> None:
        mask = self.encode(["drums " * 2000]).mask
        assert mask.all(), "a prompt of more tokens than there is room for must fill them all"

    def test_it_tells_the_end_of_a_prompt_that_it_cuts_or_does_not_tell(self) -> None:
        encoder, long = self.network(), "drums " * 2000
        for caption in self.captions:
            told = encoder.unread_text(caption)
            rule = f"what is not read must be the end of a prompt (got {told!r})"
            assert caption.endswith(told or ""), rule
        rest = encoder.unread_text(long)
        rule = f"of a prompt that is cut the end must be told, or None (got {rest!r})"
        assert rest is None or (rest and long.endswith(rest)), rule
        rule = "an empty prompt is never cut"
        assert encoder.unread_text("") == (None if rest is None else ""), rule

    def test_it_knows_the_words_of_its_captions_or_does_not_tell(self) -> None:
        encoder = self.network()
        for caption in self.captions:
            told = encoder.unknown_words(caption)
            assert told in (None, []), f"a caption's words must be known (got {told!r})"
        rule = "what is told of the captions' words must be told of every other word"
        assert (encoder.unknown_words("qwertz") is None) == (encoder.known_words() is None), rule
        assert encoder.unknown_words("qwertz") in (None, ["qwertz"]), rule

    def test_prompts_may_be_any_sequence(self) -> None:
        encoder = self.network()
        with torch.no_grad():
            listed, tupled = (self.answer(encoder, form(["drums", ""])) for form in (list, tuple))
        assert_alike(tupled, listed, "a tuple of prompts must do as a list does")

    def test_its_sizes_are_told_before_anything_is_loaded(self) -> None:
        with torch.device("meta"):
            encoder = self.fresh()
        check_sizes(encoder, "encoder", "features", "tokens")


def _visible_embeddings(text: TextEmbedding) -> Tensor:
    """Return the embeddings [b, n, d], 0 where masked: what is there may have any value."""
    return torch.where(text.mask[:, :, None], text.embedding, 0)
