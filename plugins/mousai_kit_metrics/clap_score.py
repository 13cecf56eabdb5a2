"""CLAP score: how well clips fit their prompts. n windows, d features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import field_validator, model_validator

import mousai_kit.api as mk


class ClapScore(mk.TextMetric):
    """CLAP score: the cosine between a clip and its prompt, from -1 to 1 (Huang et al., 2023).

    In an embedding that reads text; a clip that is heard in windows has the mean of theirs.
    """

    name = "clap-score"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    class Options(mk.Options):
        """Options of `metric: clap-score`."""

        embedding: mk.Use[mk.Embedding]

        @model_validator(mode="before")
        @classmethod
        def _check_there(cls, values: Any) -> Any:
            if "embedding" not in values:
                told = "needs an embedding that reads text, such as"
                raise ValueError(f"{told} `embedding: {{use: clap, model: /path/to/folder}}`")
            return values

        @field_validator("embedding")
        @classmethod
        def _check_reads_text(cls, use: mk.Use[mk.Embedding]) -> mk.Use[mk.Embedding]:
            if not use.component.reads_text:
                told = "must be an embedding that reads text, such as clap"
                raise ValueError(f"{told} (got '{use.component.name}')")
            return use

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        self.embedding = options.embedding.build(sample_rate=sample_rate).eval()

    @property
    def embeddings(self) -> Sequence[mk.Embedding]:
        """Return the embedding."""
        return (self.embedding,)

    def score(self, generated: mk.ClipSet, reference: Sequence[str]) -> list[float]:
        """Return the mean cosine of a clip's windows with its text, for each clip."""
        if not len(generated):
            return []
        texts = list(dict.fromkeys(reference))
        with torch.no_grad():
            vectors = self.embedding.embed_text(texts).double().cpu()
        told = dict(zip(texts, vectors, strict=True))
        heard = generated.vectors(self.embedding)
        return [
            float(torch.cosine_similarity(windows.double(), told[text][None]).mean())
            for windows, text in zip(heard, reference, strict=True)
        ]
