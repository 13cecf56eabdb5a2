"""A pretrained network as transformers saves it: opened as data, never as code."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging import CRITICAL
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from mousai_kit.core.component import Options, PathOrName
from mousai_kit.core.errors import WeightsError, error_summary
from mousai_kit.models import hub
from mousai_kit.models.hub import NEEDED, folder_of, lacking

LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}


class CheckpointOptions(Options):
    """Options that say where a pretrained network lies."""

    commits: ClassVar[Mapping[str, str]] = {}
    """Commits of models on the hub that are known, so that a recipe need not say them."""

    model: PathOrName = Field(
        min_length=1, description="a model on the Hugging Face hub, or a folder of one"
    )
    revision: str | None = Field(
        None, pattern="^[0-9a-f]{40}$", description="commit of the model on the hub"
    )

    @field_validator("revision")
    @classmethod
    def _check_pinned(cls, revision: str | None, info: ValidationInfo) -> str | None:
        """Pin what comes from the hub, where a name can mean another model tomorrow."""
        model = info.data.get("model", "")
        if not model or hub.is_folder(model):
            return None
        if revision is None and model not in cls.commits:
            raise ValueError(
                f"must be the 40-digit commit to fetch of '{model}' from the hub; "
                "a folder needs none, but there is none of this name"
            )
        return revision or cls.commits[model]


@dataclass(frozen=True, slots=True)
class PretrainedCheckpoint:
    """A folder that holds a network's configuration, its tokenizer and its weights."""

    model: str
    """What the user calls it, and so do errors."""
    folder: Path
    fallback_hint: str
    """What errors say that can be done instead."""

    @classmethod
    def find(
        cls,
        model: str,
        revision: str | None,
        *,
        fallback_hint: str,
        needed: Sequence[str] = NEEDED,
    ) -> Self:
        """Return a model's files, downloaded where need be; WeightsError where one is missing.

        `needed` beside the weights, the configuration first.
        """
        try:
            folder = folder_of(model, revision, needed)
        except Exception as error:  # whatever the hub's client and its network library raise
            told = hub.explain_hub_error(error, needed[0])
            raise cls(model, Path(), fallback_hint).fault(f"can't be fetched: {told}") from error
        found = cls(model, folder, fallback_hint)
        if not folder.is_dir():
            raise found.fault("is no folder")
        if missing := lacking(folder, needed):
            raise found.fault(f"lacks {missing}")
        return found

    def fault(self, why: str, *, instead: bool = True) -> WeightsError:
        """Return the error that says why it can't be used, and what to do instead if asked to."""
        return WeightsError.about(self.model, f"{why}; {self.fallback_hint}" if instead else why)

    def check_features(self, found: int, wanted: int) -> None:
        """Raise where embeddings have another size than the recipe says."""
        if found != wanted:
            what = f"its embeddings have {found} features; set `features: {found}` (got {wanted})"
            raise self.fault(what, instead=False)

    def config(self) -> Any:
        """Return what its config.json holds; OSError or ValueError where it can't be read."""
        return json.loads((self.folder / NEEDED[0]).read_text(encoding="utf-8"))

    def tokenizer(self, vocabulary: int) -> Any:
        """Return its tokenizer; WeightsError if it has more tokens than the network knows."""
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self.folder / NEEDED[1]))
        except Exception as error:  # tokenizers raises plain Exception
            raise self.fault(
                f"its tokenizer.json can't be read ({error_summary(error)})"
            ) from error
        if (size := tokenizer.get_vocab_size()) > vocabulary:
            raise self.fault(f"its tokenizer has {size} tokens, its network only {vocabulary}")
        return tokenizer

    def network(self, architecture: str) -> tuple[nn.Module, list[str]]:
        """Return the network as a class of transformers, and the tensors that it lacks.

        WeightsError where the weights are broken. A configuration can ask for kernels of the hub,
        which are code: attention is set to transformers' own. torch's generator stays as it was:
        some networks draw weights before theirs are read.
        """
        library = transformers()
        try:
            with _silent(library), torch.random.fork_rng(devices=[]):
                config = library.AutoConfig.from_pretrained(self.folder, **LOCAL)
                config._attn_implementation = "eager"
                network, report = getattr(library, architecture).from_pretrained(
                    self.folder,
                    config=config,
                    use_safetensors=True,
                    **LOCAL,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
        except Exception as error:  # whatever transformers and safetensors raise for a broken file
            raise self.fault(f"its weights can't be read ({error_summary(error)})") from error
        return network, sorted(report["missing_keys"])

    def feature_extractor(self) -> Any:
        """Return what makes a network's inputs of audio; WeightsError where it can't be read."""
        library = transformers()
        try:
            with _silent(library):
                return library.AutoFeatureExtractor.from_pretrained(self.folder, **LOCAL)
        except Exception as error:  # whatever transformers raises for a broken file
            told = error_summary(error)
            raise self.fault(f"its preprocessor_config.json can't be read ({told})") from error

    def check_complete(self, missing: list[str]) -> None:
        """Raise where the weights lack tensors."""
        if missing:
            raise self.fault(f"its weights lack {len(missing)} tensors, such as '{missing[0]}'")


def transformers() -> Any:
    """Return transformers; it takes seconds to import, and needs torchaudio as `mk` loads it."""
    importlib.import_module("mousai_kit.audio.torchaudio_compat")
    return importlib.import_module("transformers")


@contextmanager
def _silent(library: Any) -> Iterator[None]:
    """Keep transformers from reporting on what it loads."""
    logging = library.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
