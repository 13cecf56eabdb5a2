"""Audio taggers: a classifier's posterior as an embedding. n windows, t time, d labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_metrics.pretrained import PretrainedEmbedding, model_type

AST = "MIT/ast-finetuned-audioset-10-10-0.4593"
AST_REVISION = "f826b80d28226b62986cc218e5cec390b1096902"


class AudioTagger(PretrainedEmbedding):
    """Any audio classifier of transformers: the probabilities of its labels, which sum to 1.

    One vector for each window of `seconds`. The default is an Audio Spectrogram Transformer that
    learned AudioSet's 527 labels (Gong et al., 2021).
    """

    name = "audio-tagger"
    classifies: ClassVar[bool] = True
    fallback_hint = (
        "give a folder that holds an audio classifier as transformers saves it "
        "(`embedding: {use: audio-tagger, model: /path/to/folder}`), or leave out the metrics "
        "that need it"
    )

    class Options(mk.CheckpointOptions):
        """Options of `embedding: audio-tagger`."""

        commits: ClassVar[Mapping[str, str]] = {AST: AST_REVISION}

        model: mk.PathOrName = mk.Field(
            AST,
            min_length=1,
            description="an audio classifier on the Hugging Face hub, or a folder of one",
        )
        revision: str | None = mk.Field(
            None,
            pattern="^[0-9a-f]{40}$",
            description=f"commit of the model on the hub; known for {AST}",
        )
        posterior: Literal["softmax", "sigmoid"] = mk.Field(
            "softmax",
            description="softmax over the labels, as MusicGen's evaluation has it; or sigmoid: "
            "each label's own probability, as multi-label classifiers learn it, over their sum",
        )
        seconds: float = mk.Field(
            10.0, ge=0.1, le=60, description="stretch of a clip that it hears at once"
        )

    options: Options

    @property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return what it knows by name; the network says it."""
        self.download()
        names = self.network.config.id2label
        return tuple(str(names[number]) for number in sorted(names))

    def load_network(self, checkpoint: mk.PretrainedCheckpoint) -> Any:
        """Return a classifier; WeightsError where it is none or broken."""
        known = mk.transformers().models.auto.modeling_auto
        if (kind := model_type(checkpoint)) not in (
            known.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES
        ):
            raise checkpoint.fault(f"is no audio classifier (its config.json says {kind!r})")
        network, missing = checkpoint.network("AutoModelForAudioClassification")
        checkpoint.check_complete(missing)
        return network

    def count_features(self) -> int:
        """Return the number of labels."""
        return int(self.network.config.num_labels)

    def window_seconds(self) -> float:
        """Return the seconds that it hears at once."""
        return self.options.seconds

    def embed_windows(self, windows: Tensor) -> Tensor:
        """Return probabilities [n, d] of windows [n, t]."""
        logits: Tensor = self.network(**self.extract(windows)).logits.double()
        if self.options.posterior == "softmax":
            return logits.softmax(-1)
        each = logits.sigmoid()
        return each / each.sum(-1, keepdim=True)
