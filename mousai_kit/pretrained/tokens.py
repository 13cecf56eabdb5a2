"""Texts as tokens: cut and padded to one length. b texts, n tokens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

# Captions are short, and tokenizers warns when a process that used its threads starts workers.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def token_ids(
    tokenizer: Any, texts: Sequence[str], length: int, *, padding: int = 0
) -> tuple[Tensor, Tensor]:
    """Return ids [b, length], filled up with `padding`, and mask [b, length], true where real."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    ids = torch.full((len(texts), length), padding)
    mask = torch.zeros(len(texts), length, dtype=torch.bool)
    for row, text in enumerate(texts):
        found = tokenizer.encode(encodable(text)).ids
        ids[row, : len(found)] = torch.tensor(found, dtype=torch.long)
        mask[row, : len(found)] = True
    return ids, mask


def encodable(text: str) -> str:
    """Return text without the lone surrogates that undecodable arguments and file names leave."""
    return text.encode("utf-8", "replace").decode("utf-8")
