"""T5, pretrained and frozen: the paper's text encoder.

Legend: b texts, n tokens, d features.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from pydantic import ValidationInfo, field_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.t5_hub import folder_of
from mousai_kit_mousai.t5_network import pretrained_network
from mousai_kit_mousai.t5_tokens import token_ids

PAPERS = "google-t5/t5-base"
PAPERS_REVISION = "a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1"
REMEMBERED = 1024
"""Texts whose embeddings are kept: at most 200 MB of T5-base's."""


class T5(mk.TextEncoder):
    """Pretrained T5 encoder, frozen (Raffel et al., 2020), from the hub or a folder.

    It loads at the first use or in `prepare`, which raise WeightsError where it can't be had. It is
    no part of the module's state: checkpoints and parameter counts leave it out.
    """

    name = "t5"

    class Options(mk.Options):
        """Options of `text: t5`."""

        model: str = mk.Field(
            PAPERS, min_length=1, description="a T5 on the Hugging Face hub, or a folder of one"
        )
        revision: str | None = mk.Field(
            None,
            pattern="^[0-9a-f]{40}$",
            description=f"commit of the model on the hub; known for {PAPERS}",
        )
        features: int = mk.Field(768, gt=0, description="size of the model's embeddings (d_model)")
        tokens: int = mk.Field(64, ge=2, le=512, description="tokens a text is padded or cut to")

        @field_validator("revision")
        @classmethod
        def _pinned(cls, revision: str | None, info: ValidationInfo) -> str | None:
            """Pin what comes from the hub, where a name can mean another model tomorrow."""
            model = info.data.get("model", "")
            if not model or mk.hub.is_folder(model):
                return None
            if revision is None and model != PAPERS:
                raise ValueError(
                    f"must be the 40-digit commit to fetch of '{model}' from the hub; "
                    "a folder needs none, but there is none of this name"
                )
            return revision or PAPERS_REVISION

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.features = options.features
        self.tokens = options.tokens
        self.pretrained = Pretrained(options)
        self.register_buffer("_place", torch.empty(0), persistent=False)

    def ready(self) -> None:
        """Load the network, so that training that can't have it does not start."""
        self.pretrained.load()

    def forward(self, prompts: Sequence[str]) -> mk.Text:
        """Encode prompts, each once: embeddings are remembered, and zero where masked."""
        device = self.get_buffer("_place").device
        if device.type == "meta":  # counted, not computed: nothing is fetched for that
            return mk.Text.blank(len(prompts), self.tokens, self.features, device=device)
        embedding = torch.zeros(len(prompts), self.tokens, self.features)
        mask = torch.zeros(len(prompts), self.tokens, dtype=torch.bool)
        for row, known in enumerate(self.pretrained.embeddings(prompts, device)):
            embedding[row, : len(known)] = known
            mask[row, : len(known)] = True
        return mk.Text(embedding.to(device), mask.to(device))


class Pretrained:
    """A frozen network outside any module, with a memory of the texts it has encoded."""

    def __init__(self, options: T5.Options) -> None:
        self.options = options
        self.network: nn.Module | None = None
        self.tokenizer: Any = None
        self.memory: OrderedDict[str, Tensor] = OrderedDict()

    def __deepcopy__(self, memo: dict[int, Any]) -> Pretrained:
        """Return itself: what never changes needs no copies."""
        return self

    def load(self) -> nn.Module:
        """Return the network, fetched and loaded at the first call."""
        if self.network is None:
            model, features = self.options.model, self.options.features
            folder = folder_of(model, self.options.revision)
            self.tokenizer, self.network = pretrained_network(folder, model, features)
        return self.network

    def embeddings(self, texts: Sequence[str], device: torch.device) -> list[Tensor]:
        """Return each text's real tokens [at most n, d], on the CPU."""
        known = {text: self.memory[text] for text in texts if text in self.memory}
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(new, self._encoded(new, device), strict=True))
        self._remember(known)
        return [known[text] for text in texts]

    def _remember(self, embeddings: dict[str, Tensor]) -> None:
        """Keep the most recently used embeddings."""
        for text, embedding in embeddings.items():
            self.memory[text] = embedding
            self.memory.move_to_end(text)
        while len(self.memory) > REMEMBERED:
            self.memory.popitem(last=False)

    def _encoded(self, texts: Sequence[str], device: torch.device) -> list[Tensor]:
        """Encode texts, in float32 also where training computes in less."""
        network = self.load().to(device)
        ids, mask = token_ids(self.tokenizer, texts, self.options.tokens)
        with torch.autocast(device.type, enabled=False):
            output = network(input_ids=ids.to(device), attention_mask=mask.to(device))
        embeddings = output.last_hidden_state.cpu()
        return [row[real].clone() for row, real in zip(embeddings, mask, strict=True)]
