"""Words as hashed n-grams of letters (Bojanowski et al., 2017, arXiv 1607.04606).

Legend: b texts, n words of a text, g n-grams of a word, d features.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import mousai_kit.api as mk
import torch
from pydantic import model_validator
from torch import Tensor, nn

WORD = re.compile(r"[^\W_]+")


class NGrams(mk.TextEncoder):
    """Words as the mean of their hashed n-grams' embeddings: no download, no vocabulary.

    A text is a bag of words: their order is not told. Words that share letters ("ambient",
    "ambience") share embeddings, so that one that training never saw still means something.
    """

    name = "ngrams"

    class Options(mk.Options):
        """Options of `text: ngrams`."""

        features: int = mk.Field(256, ge=1, description="size of an embedding")
        tokens: int = mk.Field(32, ge=1, le=512, description="words that are read of a text")
        buckets: int = mk.Field(
            16384, ge=16, description="embeddings; n-grams that fall into one share it"
        )
        shortest: int = mk.Field(3, ge=1, le=16, description="letters of the shortest n-grams")
        longest: int = mk.Field(5, ge=1, le=16, description="letters of the longest n-grams")
        grams: int = mk.Field(32, ge=1, le=256, description="n-grams that are read of a word")

        @model_validator(mode="after")
        def _in_order(self) -> NGrams.Options:
            if self.longest < self.shortest:
                raise ValueError(f"longest must be at least shortest ({self.shortest})")
            return self

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.options = options
        self.features, self.tokens = options.features, options.tokens
        self.table = nn.Embedding(options.buckets + 1, options.features, padding_idx=0)

    def forward(self, prompts: Sequence[str]) -> mk.TextEmbedding:
        """Encode prompts as mk.TextEmbedding of [b, n, d] and [b, n]."""
        ids = torch.tensor([self._text(it) for it in prompts], dtype=torch.long)
        ids = ids.reshape(len(prompts), self.tokens, self.options.grams)
        ids = ids.to(self.table.weight.device)
        counts: Tensor = (ids > 0).sum(2)
        embedding = self.table(ids).sum(2) / counts.clamp(min=1)[:, :, None]
        return mk.TextEmbedding(embedding, counts > 0)

    def _text(self, text: str) -> list[list[int]]:
        """Return the buckets [n, g] of a text, 0 where there is no word or no n-gram."""
        words = [it[0] for it in islice(WORD.finditer(text.casefold()), self.tokens)]
        rows = [list(islice(self._word(word), self.options.grams)) for word in words]
        rows += [[] for _ in range(self.tokens - len(rows))]
        return [row + [0] * (self.options.grams - len(row)) for row in rows]

    def _word(self, word: str) -> Iterator[int]:
        """Yield the buckets of a word and of its n-grams, `<` and `>` marking its ends."""
        marked = f"<{word}>"
        yield self._bucket(marked)
        for size in range(self.options.shortest, self.options.longest + 1):
            for first in range(len(marked) - size + 1):
                if size < len(marked):
                    yield self._bucket(marked[first : first + size])

    def _bucket(self, gram: str) -> int:
        """Return a bucket from 1 on; 0 is the padding."""
        return 1 + fnv1a(gram) % self.options.buckets


def fnv1a(text: str) -> int:
    """Return the 32-bit FNV-1a hash of a text's UTF-8: the same on every machine."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8", "replace"):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
