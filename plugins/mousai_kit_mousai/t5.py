"""T5, pretrained and frozen: the paper's text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mousai_kit.api as mk

PAPERS = "google-t5/t5-base"
PAPERS_REVISION = "a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1"


class T5(mk.PretrainedTextEncoder):
    """Pretrained T5 encoder, frozen (Raffel et al., 2020), from the hub or a folder."""

    name = "t5"
    fallback_hint = (
        "give a folder that holds a T5 (`text: {use: t5, model: /path/to/folder}`) or learn one "
        "with the generator (`text: {use: t5-scratch}`), which needs no download"
    )

    class Options(mk.PretrainedOptions):
        """Options of `text: t5`."""

        commits: ClassVar[Mapping[str, str]] = {PAPERS: PAPERS_REVISION}

        model: mk.PathOrName = mk.Field(
            PAPERS, min_length=1, description="a T5 on the Hugging Face hub, or a folder of one"
        )
        revision: str | None = mk.Field(
            None,
            pattern="^[0-9a-f]{40}$",
            description=f"commit of the model on the hub; known for {PAPERS}",
        )
        features: int = mk.Field(768, gt=0, description="size of the model's embeddings (d_model)")

    @classmethod
    def load_model(
        cls, checkpoint: mk.PretrainedCheckpoint, options: Options
    ) -> mk.FrozenTextModel:
        """Return a checkpoint's encoder; WeightsError where it is none, broken or of other size."""
        try:
            config = checkpoint.config()
            kind, size, vocabulary = config["model_type"], config["d_model"], config["vocab_size"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise checkpoint.fault("its config.json describes no T5") from error
        if kind != "t5":
            raise checkpoint.fault(f"its config.json describes no T5 (got {kind!r})")
        checkpoint.check_features(size, options.features)
        tokenizer = checkpoint.tokenizer(int(vocabulary))
        network, missing = checkpoint.network("T5EncoderModel")
        checkpoint.check_complete(missing)
        return mk.FrozenTextModel(tokenizer, network)
