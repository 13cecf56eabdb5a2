"""T5's tokens, learned from captions, with the end of a text marked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

import mousai_kit.api as mk

PADDING_TOKEN, END_TOKEN = "<pad>", "</s>"
"""T5's own special tokens, of ids 0 and 1."""


def learned_tokenizer(captions: Iterable[str], size: int) -> Any:
    """Return a tokenizer of at most `size` tokens that knows the captions' most frequent words.

    Byte-level byte-pair encoding: any text can be written with it. Case and the space around a word
    make no difference, so that a word is the same token wherever and however it is typed.
    """
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Whitespace(),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[PADDING_TOKEN, END_TOKEN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(map(mk.encodable, captions), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END_TOKEN}", special_tokens=[(END_TOKEN, tokenizer.token_to_id(END_TOKEN))]
    )
    return tokenizer
