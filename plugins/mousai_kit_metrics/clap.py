"""CLAP: clips and texts in one space (Wu et al., 2023). n windows or texts, t time, d features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

import mousai_kit.api as mk
from mousai_kit_metrics.pretrained import PretrainedEmbedding, model_type

TOKENS = 77
"""Tokens that a text is cut to, as where CLAP was trained."""


class Clap(PretrainedEmbedding):
    """CLAP: a pretrained network that puts music and text into one space (Wu et al., 2023).

    Vectors of length 1, one for each window of 10 seconds; what is shorter is repeated until it
    fills one. Of a network with feature fusion the fusion goes unused: windows are never longer.
    """

    name = "clap"
    classifies: ClassVar[bool] = False
    reads_text: ClassVar[bool] = True
    needed = ("config.json", "tokenizer.json", "preprocessor_config.json")
    fallback_hint = (
        "give a folder that holds a CLAP as transformers saves it, its weights as safetensors "
        "(`embedding: {use: clap, model: /path/to/folder}`), or leave out the metrics that need it"
    )

    class Options(mk.CheckpointOptions):
        """Options of `embedding: clap`."""

    def load_network(self, checkpoint: mk.PretrainedCheckpoint) -> Any:
        """Return a CLAP; WeightsError where it is none or broken."""
        if (kind := model_type(checkpoint)) != "clap":
            raise checkpoint.fault(f"its config.json describes no CLAP (got {kind!r})")
        network, missing = checkpoint.network("ClapModel")
        checkpoint.check_complete(missing)
        config: Any = network.config
        text = config.text_config
        self.tokenizer = checkpoint.tokenizer(text.vocab_size)
        self.padding = text.pad_token_id
        # RoBERTa counts positions from behind the padding's id.
        self.tokens = min(TOKENS, text.max_position_embeddings - 1 - self.padding)
        return network

    def count_features(self) -> int:
        """Return the size of the space."""
        return int(self.network.config.projection_dim)

    def window_seconds(self) -> float:
        """Return the seconds that it hears at once."""
        return float(self.extractor.nb_max_samples / self.extractor.sampling_rate)

    def embed_windows(self, windows: Tensor) -> Tensor:
        """Return vectors [n, d] of length 1 of windows [n, t]."""
        with _numpy_left_as_it_was():  # for fusion, one of a batch is drawn to be "longer"
            inputs = self.extract(windows)
        inputs["is_longer"] = torch.zeros(len(windows), 1, dtype=torch.bool, device=self.device)
        return _vectors(self.network.get_audio_features(**inputs))

    @torch.no_grad()
    def embed_text(self, prompts: Sequence[str]) -> Tensor:
        """Return vectors [n, d] of length 1 of texts, which are cut to 77 tokens."""
        self.download()
        ids, mask = mk.tokenize(self.tokenizer, prompts, self.tokens, padding=self.padding)
        ids, mask = ids.to(self.device), mask.to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            return _vectors(self.network.get_text_features(input_ids=ids, attention_mask=mask))


def _vectors(output: Any) -> Tensor:
    """Return vectors of length 1 of what the network gives: an output, or a tensor."""
    return normalize(getattr(output, "pooler_output", output).float(), dim=-1)


@contextmanager
def _numpy_left_as_it_was() -> Iterator[None]:
    """Put NumPy's generator of the whole process back to where it was."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)
