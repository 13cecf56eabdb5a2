"""T5's encoder as a network: a fresh one of any size, or a pretrained one from a folder."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any

import torch
from torch import nn

import mousai_kit.api as mk

NEEDED = ("config.json", "tokenizer.json")
"""Files of a pretrained T5 beside its weights."""
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Its weights: in one file, or the index of several."""
WAYS_OUT = (
    "give a folder that holds a T5 (`text: {use: t5, model: /path/to/folder}`) or learn one with "
    "the generator (`text: {use: t5-scratch}`), which needs no download"
)


def fresh_network(
    *, features: int, layers: int, heads: int, feed_forward: int, dropout: float, vocabulary: int
) -> nn.Module:
    """Return a T5 encoder of random weights; its embeddings appear once in its state."""
    library = _transformers()
    config = library.T5Config(
        vocab_size=vocabulary,
        d_model=features,
        d_kv=features // heads,
        d_ff=feed_forward,
        num_layers=layers,
        num_heads=heads,
        dropout_rate=dropout,
    )
    network: nn.Module = library.T5EncoderModel(config).encoder
    return network


def pretrained_network(folder: Path, model: str, features: int) -> tuple[Any, nn.Module]:
    """Return a folder's tokenizer and its encoder, frozen, in float32.

    `model` is what to call it in errors. WeightsError where a file is missing or broken, or where
    the embeddings have another size than `features`.
    """
    if not folder.is_dir():
        raise unusable(model, "is no folder")
    if missing := [name for name in NEEDED if not (folder / name).is_file()]:
        raise unusable(model, f"lacks {' and '.join(missing)}")
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise unusable(model, f"lacks {WEIGHTS[0]}")
    vocabulary = _checked_vocabulary(folder, model, features)
    tokenizer = _tokenizer(folder, model, vocabulary)
    return tokenizer, _frozen(folder, model)


def unusable(model: str, why: str) -> mk.WeightsError:
    """Return the error that says which T5 can't be used, why, and what to do instead."""
    return mk.WeightsError(mk.Problem(model, "", f"{why}; {WAYS_OUT}"))


def _checked_vocabulary(folder: Path, model: str, features: int) -> int:
    """Return how many tokens a folder's network knows, once its configuration is found to fit."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind, size, vocabulary = config["model_type"], config["d_model"], config["vocab_size"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unusable(model, "its config.json describes no T5") from error
    if kind != "t5":
        raise unusable(model, f"its config.json describes no T5 (got {kind!r})")
    if size != features:
        problem = f"its embeddings have {size} features; set `features: {size}` (got {features})"
        raise mk.WeightsError(mk.Problem(model, "", problem))
    return int(vocabulary)


def _tokenizer(folder: Path, model: str, vocabulary: int) -> Any:
    """Return a folder's tokenizer; WeightsError if it has more tokens than the network."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises plain Exception
        raise unusable(
            model, f"its tokenizer.json can't be read ({mk.first_line(error)})"
        ) from error
    if (size := tokenizer.get_vocab_size()) > vocabulary:
        raise unusable(model, f"its tokenizer has {size} tokens, its network only {vocabulary}")
    return tokenizer


def _frozen(folder: Path, model: str) -> nn.Module:
    """Return a folder's encoder; WeightsError if its weights are broken or incomplete."""
    library = _transformers()
    try:
        with _silent(library):
            network, report = library.T5EncoderModel.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # whatever transformers and safetensors raise for a broken file
        raise unusable(model, f"its weights can't be read ({mk.first_line(error)})") from error
    if missing := sorted(report["missing_keys"]):
        raise unusable(model, f"its weights lack {len(missing)} tensors, such as '{missing[0]}'")
    frozen: nn.Module = network.eval().requires_grad_(False)
    return frozen


def _transformers() -> Any:
    """Return transformers; it takes seconds to import, and needs torchaudio as `mk` loads it."""
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
