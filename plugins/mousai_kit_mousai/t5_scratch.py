"""T5's encoder, learned from scratch together with the generator.

Legend: b texts, n tokens, d features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import ValidationInfo, field_validator
from tokenizers import Tokenizer
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.t5_network import fresh_network
from mousai_kit_mousai.t5_tokens import learned_tokenizer


class T5Scratch(mk.TextEncoder):
    """T5 encoder learned with the generator, on words of the captions: needs no download.

    The vocabulary is learned in `prepare` and saved with the weights. Encoding before either
    raises WeightsError.
    """

    name = "t5-scratch"

    class Options(mk.Options):
        """Options of `text: t5-scratch`. A few thousand captions don't fill T5-base."""

        features: int = mk.Field(256, gt=0, description="size of an embedding (T5-base: 768)")
        layers: int = mk.Field(4, gt=0, description="layers (T5-base: 12)")
        heads: int = mk.Field(
            4, gt=0, description="attention heads; divides features (T5-base: 12)"
        )
        feed_forward: int = mk.Field(1024, gt=0, description="inner features (T5-base: 3072)")
        dropout: float = mk.Field(
            0.0, ge=0, lt=1, description="dropout; 0 makes training repeatable (T5-base: 0.1)"
        )
        vocabulary: int = mk.Field(4096, ge=512, description="most tokens (T5-base: 32128)")
        tokens: int = mk.Field(64, ge=2, le=512, description="tokens a text is padded or cut to")

        @field_validator("heads")
        @classmethod
        def _divides(cls, heads: int, info: ValidationInfo) -> int:
            features = info.data.get("features", heads)
            if features % heads:
                raise ValueError(f"must divide features, {features} (got {heads})")
            return heads

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.features = options.features
        self.tokens = options.tokens
        self.vocabulary = options.vocabulary
        self.tokenizer: Any = None
        self.network = fresh_network(
            features=options.features,
            layers=options.layers,
            heads=options.heads,
            feed_forward=options.feed_forward,
            dropout=options.dropout,
            vocabulary=options.vocabulary,
        )

    def prepare(self, captions: Sequence[str]) -> None:
        """Learn the vocabulary: the same captions, in any order, give the same one."""
        self.tokenizer = learned_tokenizer(captions, self.vocabulary)
        self.tokenizer.enable_truncation(self.tokens)  # part of the state: use changes it no more

    def forward(self, prompts: Sequence[str]) -> mk.Text:
        """Encode prompts; embeddings are zero where masked. WeightsError without a vocabulary."""
        device = next(self.parameters()).device
        if device.type == "meta":
            return mk.Text.blank(len(prompts), self.tokens, self.features, device=device)
        if self.tokenizer is None:
            raise mk.WeightsError(
                "text encoder t5-scratch: has learned no words yet; train it, or load its weights"
            )
        ids, mask = mk.token_ids(self.tokenizer, prompts, self.tokens)
        return self.embedded(ids.to(device), mask.to(device))

    def embedded(self, ids: Tensor, mask: Tensor) -> mk.Text:
        """Encode token ids [b, n] of which those in `mask` [b, n] are real."""
        output = self.network(input_ids=ids, attention_mask=mask)
        return mk.Text(output.last_hidden_state * mask.unsqueeze(-1), mask)

    def get_extra_state(self) -> Tensor:
        """Return the vocabulary as bytes, for the weights' file: it holds tensors only."""
        text = self.tokenizer.to_str() if self.tokenizer else ""
        return torch.tensor(list(text.encode()), dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Take the vocabulary from a weights' file."""
        text = bytes(state.tolist())
        try:
            self.tokenizer = Tokenizer.from_str(text.decode()) if text else None
        except Exception as error:  # tokenizers raises plain Exception
            raise mk.WeightsError(
                "text encoder t5-scratch: its words can't be read from the weights"
            ) from error
