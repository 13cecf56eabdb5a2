"""T5's encoder and its tokens, learned from scratch together with the generator.

Legend: b texts, n tokens, d features.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.t5_network import T5Network, T5ScratchOptions

PADDING_TOKEN, END_TOKEN = "<pad>", "</s>"
"""T5's own special tokens, of ids 0 and 1."""


class T5Scratch(mk.TextEncoder):
    """T5 encoder learned with the generator, on words of the captions: needs no download.

    The vocabulary is learned in `fit_statistics` and saved with the weights, and so are the
    captions' words. Encoding before either raises WeightsError.
    """

    name = "t5-scratch"
    Options = T5ScratchOptions

    def __init__(self, options: T5ScratchOptions) -> None:
        super().__init__(options)
        self.features, self.tokens = options.features, options.tokens
        self.vocabulary = options.vocabulary
        self.tokenizer: Any = None
        self.words: list[str] | None = None
        self.network = T5Network(options)

    def fit_statistics(self, captions: Sequence[str]) -> None:
        """Learn the vocabulary: the same captions, in any order, give the same one."""
        self.tokenizer = train_tokenizer(captions, self.vocabulary)
        self.tokenizer.enable_truncation(self.tokens)  # part of the state: use changes it no more
        self.words = words_by_frequency(captions)

    def repeated_blocks(self) -> Iterable[nn.Module]:
        """Return T5's layers."""
        return self.network.block

    def forward(self, prompts: Sequence[str]) -> mk.TextEmbedding:
        """Encode prompts; embeddings are zero where masked. WeightsError without a vocabulary."""
        device = next(self.parameters()).device
        if device.type == "meta":
            return mk.TextEmbedding.blank(len(prompts), self.tokens, self.features, device=device)
        if self.tokenizer is None:
            raise mk.WeightsError(
                "text encoder t5-scratch: has learned no words yet; train it, or load its weights"
            )
        ids, mask = mk.tokenize(self.tokenizer, prompts, self.tokens)
        return self.embed(ids.to(device), mask.to(device))

    def embed(self, ids: Tensor, mask: Tensor) -> mk.TextEmbedding:
        """Encode token ids [b, n] of which those in `mask` [b, n] are real."""
        return mk.TextEmbedding(self.network(ids, mask).float() * mask.unsqueeze(-1), mask)

    def known_words(self) -> list[str] | None:
        """Return the captions' words; None of weights that were saved without them."""
        return self.words

    def unknown_words(self, prompt: str) -> list[str] | None:
        """Return the words of a prompt that no caption had, each once."""
        if self.words is None:
            return None
        known = set(self.words)
        return [word for word in dict.fromkeys(words_in(prompt)) if word not in known]

    def unread_text(self, prompt: str) -> str | None:
        """Return the end of a prompt that is beyond `tokens`; None without a vocabulary."""
        return self.tokenizer and mk.overflowing_text(self.tokenizer, prompt, self.tokens)

    def get_extra_state(self) -> Tensor:
        """Return the vocabulary and the words as bytes, for a file that holds tensors only."""
        text = self.tokenizer.to_str() if self.tokenizer else ""
        if self.words is not None:
            text = json.dumps({"tokenizer": text, "words": self.words}, ensure_ascii=False)
        return torch.tensor(list(text.encode()), dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Take the vocabulary and the words from a weights' file, of which old ones lack these."""
        try:
            text, words = _vocabulary_and_words(bytes(state.tolist()).decode())
            self.tokenizer = Tokenizer.from_str(text) if text else None
        except Exception as error:  # tokenizers raises plain Exception
            raise mk.WeightsError(
                "text encoder t5-scratch: its words can't be read from the weights"
            ) from error
        self.words = words


def _vocabulary_and_words(text: str) -> tuple[str, list[str] | None]:
    """Return a saved vocabulary, empty where none was learned, and the words beside it."""
    saved = json.loads(text) if text else {}
    if "words" not in saved:
        return text, None
    return saved["tokenizer"], list(map(str, saved["words"]))


def train_tokenizer(captions: Iterable[str], size: int) -> Any:
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
    tokenizer.train_from_iterator(map(mk.strip_surrogates, captions), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END_TOKEN}", special_tokens=[(END_TOKEN, tokenizer.token_to_id(END_TOKEN))]
    )
    return tokenizer


def words_in(text: str) -> list[str]:
    """Return a text's words in order: letters and digits, however they are typed."""
    return re.findall(r"\w+", unicodedata.normalize("NFKC", mk.strip_surrogates(text)).lower())


def words_by_frequency(captions: Iterable[str]) -> list[str]:
    """Return the captions' words, the most frequent first, equals by the alphabet."""
    counts = Counter(word for caption in captions for word in words_in(caption))
    return sorted(counts, key=lambda word: (-counts[word], word))
