"""Cache of embeddings: vectors of clips, on the disk by what made them and by the clips' sound."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from mousai_kit import __version__
from mousai_kit.core.component import to_plain_dict
from mousai_kit.core.files import atomic_write
from mousai_kit.core.interfaces import Clip, Embedding
from mousai_kit.core.interfaces.metric import embed_clip

SHORT = 16
"""Hexadecimal digits of a digest that names a file."""


class EmbeddingCache:
    """Vectors of clips in a folder, a file for each embedding; those of the same sound are reused.

    `tick` is called for each clip whose vectors are asked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tick: Callable[[], None] = lambda: None
        self._names: dict[int, tuple[Embedding, str]] = {}
        self._vectors: dict[str, dict[str, Tensor]] = {}
        self._fresh: set[str] = set()

    def embed(self, embedding: Embedding, clip: Clip) -> Tensor:
        """Return a clip's vectors [n, features]; RequestError where they are not finite."""
        name = self._name(embedding)
        known = self._vectors.setdefault(name, {}) or self._read(name)
        key = digest_of_sound(clip.wave)
        if not _fits(known.get(key), embedding):
            known[key] = embed_clip(embedding, clip)
            self._fresh.add(name)
        self.tick()
        return known[key]

    def save(self) -> None:
        """Write what is new. A disk that refuses loses nothing but time."""
        for name in sorted(self._fresh):
            with suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                with atomic_write(self.folder / f"{name}.safetensors") as file:
                    tensors = {
                        key: tensor.contiguous() for key, tensor in self._vectors[name].items()
                    }
                    file.write(save(tensors))
        self._fresh.clear()

    def _read(self, name: str) -> dict[str, Tensor]:
        """Return what a file holds; nothing where it is missing or damaged."""
        with suppress(OSError, SafetensorError):
            self._vectors[name] = load_file(self.folder / f"{name}.safetensors")
        return self._vectors[name]

    def _name(self, embedding: Embedding) -> str:
        """Return the name of an embedding's file: of its options, weights and version."""
        kept = self._names.get(id(embedding))
        if kept is None or kept[0] is not embedding:
            digest = hashlib.sha256(
                json.dumps(
                    [embedding.sample_rate, to_plain_dict(embedding.options), __version__]
                ).encode()
            )
            for key, tensor in sorted(embedding.state_dict().items()):
                digest.update(key.encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().numpy().tobytes())
            kept = embedding, f"{embedding.name}-{digest.hexdigest()[:SHORT]}"
            self._names[id(embedding)] = kept
        return kept[1]


def _fits(vectors: Tensor | None, embedding: Embedding) -> bool:
    """Return whether what a file holds can be vectors of an embedding."""
    return (
        vectors is not None
        and vectors.dtype == torch.float32
        and vectors.ndim == 2
        and vectors.shape[1] == embedding.features
        and len(vectors) > 0
        and bool(vectors.isfinite().all())
    )


def digest_of_sound(wave: Tensor) -> str:
    """Return a digest of audio [c, t]."""
    plain = wave.detach().cpu().float().contiguous()
    shape = "x".join(map(str, plain.shape)).encode()
    return hashlib.sha256(shape + plain.numpy().tobytes()).hexdigest()[: 2 * SHORT]
