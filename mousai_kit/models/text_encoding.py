"""Pretrained text: the base of text encoders that are a frozen network of transformers.

Legend: b texts, n tokens, d features.

Texts as tokens: cut and padded to one length. b texts, n tokens.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from mousai_kit.core.interfaces import TextEmbedding, TextEncoder
from mousai_kit.models.pretrained import CheckpointOptions, PretrainedCheckpoint

# Captions are short, and tokenizers warns when a process that used its threads starts workers.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def tokenize(
    tokenizer: Any, texts: Sequence[str], length: int, *, padding: int = 0
) -> tuple[Tensor, Tensor]:
    """Return ids [b, length], filled up with `padding`, and mask [b, length], true where real."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    ids = torch.full((len(texts), length), padding)
    mask = torch.zeros(len(texts), length, dtype=torch.bool)
    for row, text in enumerate(texts):
        found = tokenizer.encode(strip_surrogates(text)).ids
        ids[row, : len(found)] = torch.tensor(found, dtype=torch.long)
        mask[row, : len(found)] = True
    return ids, mask


def overflowing_text(tokenizer: Any, text: str, length: int) -> str:
    """Return the end of a text that is beyond `length` tokens, and so cut off by `tokenize`."""
    tokenizer.enable_truncation(length)
    for cut in tokenizer.encode(strip_surrogates(text)).overflowing[:1]:
        return text[cut.offsets[cut.special_tokens_mask.index(0)][0] :]
    return ""


def strip_surrogates(text: str) -> str:
    """Return text without the lone surrogates that undecodable arguments and file names leave."""
    return text.encode("utf-8", "replace").decode("utf-8")


REMEMBERED = 1024
"""Texts whose embeddings are kept: at most 200 MB of T5-base's."""


class FrozenTextModel(nn.Module):
    """A frozen network with its tokenizer, and which of its hidden layers is the embedding."""

    def __init__(
        self, tokenizer: Any, network: nn.Module, *, layer: int = -1, padding: int = 0
    ) -> None:
        """Read hidden layer `layer`, -1 being the last; fill texts up with the id `padding`."""
        super().__init__()
        self.tokenizer, self.network = tokenizer, network
        self.layer, self.padding = layer, padding
        self.eval().requires_grad_(False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return embeddings [b, n, d] of ids [b, n], those in the mask being real."""
        inner = self.layer != -1
        output = self.network(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=inner
        )
        hidden: Tensor = output.hidden_states[self.layer] if inner else output.last_hidden_state
        return hidden


class PretrainedOptions(CheckpointOptions):
    """Options that all pretrained text encoders have."""

    features: int = Field(768, gt=0, description="size of the model's embeddings")
    tokens: int = Field(64, ge=2, le=512, description="tokens a text is padded or cut to")


class PretrainedTextEncoder(TextEncoder):
    """A pretrained network of transformers, frozen, from the hub or a folder.

    It loads at the first use or in `download`, which raise WeightsError where it can't be had. It
    is no part of the module's state: checkpoints and parameter counts leave it out.
    """

    Options = PretrainedOptions
    fallback_hint: ClassVar[str]
    """What errors say that can be done instead."""

    def __init__(self, options: PretrainedOptions) -> None:
        super().__init__(options)
        self.features = options.features
        self.tokens = options.tokens
        self.pretrained = _LazyModel(type(self), options)
        self.register_buffer("_place", torch.empty(0), persistent=False)

    @classmethod
    @abstractmethod
    def load_model(cls, checkpoint: PretrainedCheckpoint, options: Any) -> FrozenTextModel:
        """Return a checkpoint's network; WeightsError, by `checkpoint.fault`, where it is none."""

    def download(self) -> None:
        """Load the network, so that training that can't have it does not start."""
        self.pretrained.load()

    def forward(self, prompts: Sequence[str]) -> TextEmbedding:
        """Encode prompts, each once: embeddings are remembered, and zero where masked."""
        device = self.get_buffer("_place").device
        if device.type == "meta":  # counted, not computed: nothing is fetched for that
            return TextEmbedding.blank(len(prompts), self.tokens, self.features, device=device)
        embedding = torch.zeros(len(prompts), self.tokens, self.features)
        mask = torch.zeros(len(prompts), self.tokens, dtype=torch.bool)
        for row, known in enumerate(self.pretrained.embeddings(prompts, device)):
            embedding[row, : len(known)] = known
            mask[row, : len(known)] = True
        return TextEmbedding(embedding.to(device), mask.to(device))

    def unread_text(self, prompt: str) -> str:
        """Return the end of a prompt that is beyond `tokens`; empty where all of it is read."""
        return overflowing_text(self.pretrained.load().tokenizer, prompt, self.tokens)


class _LazyModel:
    """A frozen network outside any module, with a memory of the texts it has encoded."""

    def __init__(self, encoder: type[PretrainedTextEncoder], options: PretrainedOptions) -> None:
        self.encoder, self.options = encoder, options
        self.network: FrozenTextModel | None = None
        self.memory: OrderedDict[str, Tensor] = OrderedDict()

    def __deepcopy__(self, memo: dict[int, Any]) -> _LazyModel:
        """Return itself: what never changes needs no copies."""
        return self

    def load(self) -> FrozenTextModel:
        """Return the network, fetched and loaded at the first call."""
        if self.network is None:
            model, revision = self.options.model, self.options.revision
            checkpoint = PretrainedCheckpoint.find(
                model, revision, fallback_hint=self.encoder.fallback_hint
            )
            self.network = self.encoder.load_model(checkpoint, self.options)
        return self.network

    def embeddings(self, texts: Sequence[str], device: torch.device) -> list[Tensor]:
        """Return each text's real tokens [at most n, d], on the CPU."""
        known = {text: self.memory[text] for text in texts if text in self.memory}
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(new, self._encode(new, device), strict=True))
        for text, embedding in known.items():
            self.memory[text] = embedding
            self.memory.move_to_end(text)
        while len(self.memory) > REMEMBERED:  # the most recently used ones stay
            self.memory.popitem(last=False)
        return [known[text] for text in texts]

    def _encode(self, texts: Sequence[str], device: torch.device) -> list[Tensor]:
        """Encode texts, in float32 also where training computes in less."""
        network = self.load().to(device)
        ids, mask = tokenize(network.tokenizer, texts, self.options.tokens, padding=network.padding)
        with torch.autocast(device.type, enabled=False):
            found = network(input_ids=ids.to(device), attention_mask=mask.to(device)).cpu()
        return [row[real].clone() for row, real in zip(found, mask, strict=True)]
