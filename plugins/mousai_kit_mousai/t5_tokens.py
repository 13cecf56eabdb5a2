"""Texts as T5's tokens: cut and padded to one length, with the end of the text marked.

Legend: b texts, n tokens.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

# Captions are short, and tokenizers warns when a process that used its threads starts workers.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

PADDING = 0
"""Id of the token that fills up, in every T5."""
PADDING_TOKEN, END_TOKEN = "<pad>", "</s>"
"""T5's own special tokens, of ids 0 and 1."""


def token_ids(tokenizer: Any, texts: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
    """Return ids [b, length] and mask [b, length], true where a token is real."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    ids = torch.full((len(texts), length), PADDING)
    mask = torch.zeros(len(texts), length, dtype=torch.bool)
    for row, text in enumerate(texts):
        found = tokenizer.encode(_encodable(text)).ids
        ids[row, : len(found)] = torch.tensor(found, dtype=torch.long)
        mask[row, : len(found)] = True
    return ids, mask


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
    tokenizer.train_from_iterator(map(_encodable, captions), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END_TOKEN}", special_tokens=[(END_TOKEN, tokenizer.token_to_id(END_TOKEN))]
    )
    return tokenizer


def _encodable(text: str) -> str:
    """Return text without the lone surrogates that undecodable arguments and file names leave."""
    return text.encode("utf-8", "replace").decode("utf-8")
