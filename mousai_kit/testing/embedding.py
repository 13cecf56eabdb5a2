"""EmbeddingContract: a clip's vectors are its own, and other sounds have others.

Legend: b batch, c channels, t time in samples, n vectors of a clip, d features.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces import Embedding
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.signals import chords, nothing_drawn, white


class EmbeddingContract(Contract):
    """What every embedding keeps to."""

    interface: ClassVar = Embedding
    component: ClassVar[type[Embedding]]
    sample_rate: ClassVar[int] = 16_000
    """Of the sounds that it is given, in Hz."""
    tolerance: ClassVar[float] = 1e-4
    """How far a vector may be off in a batch, as a part of the largest number in it."""

    def embedding(self) -> Any:
        """Return the embedding."""
        return self.build(sample_rate=self.sample_rate).eval()

    def sounds(self, clips: int = 2, channels: int = 2, seconds: float = 1.0) -> Tensor:
        """Return clips of a chord in a little noise [b, c, t]."""
        length = round(seconds * self.sample_rate)
        return 0.5 * chords(clips, channels, length) + 0.003 * white(clips, channels, length)

    def vectors(self, wave: Tensor) -> Tensor:
        """Return vectors [b, n, d] of audio [b, c, t]."""
        with torch.no_grad():
            found: Tensor = self.embedding()(wave)
        return found

    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("seconds", [0.1, 1.5])
    def test_each_clip_has_vectors_of_its_size(self, channels: int, seconds: float) -> None:
        wave = self.sounds(3, channels, seconds)
        vectors, features = self.vectors(wave), self.embedding().features
        assert vectors.ndim == 3, f"vectors are [b, n, features] (got {list(vectors.shape)})"
        b, n, d = vectors.shape
        assert (b, d) == (3, features), f"got {[b, n, d]} for 3 clips and {features} features"
        assert n >= 1, "a short clip has no vector"
        assert vectors.dtype == torch.float32

    def test_vectors_are_finite_for_silence_too(self) -> None:
        for wave in (torch.zeros(2, 2, self.sample_rate), self.sounds()):
            assert self.vectors(wave).isfinite().all()

    def test_a_clip_has_the_same_vectors_alone_and_in_a_batch(self) -> None:
        wave = self.sounds(3)
        together, alone = self.vectors(wave), self.vectors(wave[1:2])
        off = (together[1:2] - alone).abs().max() / alone.abs().max().clamp(min=1e-12)
        assert off <= self.tolerance, f"a vector is {float(off):.1e} off in a batch"

    def test_other_sounds_have_other_vectors(self) -> None:
        chord = self.sounds(1)
        noise = 0.3 * white(*chord.shape, seed=2)
        other = 0.5 * chords(1, *chord.shape[1:], first=7)
        for name, wave in (("noise", noise), ("another chord", other)):
            off = (self.vectors(wave) - self.vectors(chord)).abs().max()
            assert off > 0, f"{name} has the vectors of a chord"

    def test_the_same_sound_has_the_same_vectors_by_chance_of_nothing(self) -> None:
        wave, embedding = self.sounds(), self.embedding()
        before = wave.clone()
        with torch.no_grad():
            with nothing_drawn():
                first = embedding(wave)
            embedding(0.1 * white(*wave.shape, seed=2))
            again = embedding(wave)
        assert torch.equal(again, first), "it remembers other sounds"
        assert torch.equal(wave, before), "it changes the sounds"

    def test_probabilities_sum_to_one(self) -> None:
        embedding = self.embedding()
        assert bool(embedding.labels) == embedding.classifies, "labels are of what classifies"
        if not embedding.classifies:
            return
        assert len(embedding.labels) == embedding.features, "a label for each feature"
        vectors = self.vectors(self.sounds())
        assert (vectors >= 0).all()
        sums = vectors.sum(-1)
        assert torch.allclose(sums, torch.ones_like(sums), atol=1e-4)

    def test_texts_are_read_or_refused(self) -> None:
        embedding, prompts = self.embedding(), ["low chord", "noise of the sea, loud"]
        if not embedding.reads_text:
            with pytest.raises(RequestError):
                embedding.embed_text(prompts)
            return
        with torch.no_grad():
            together, alone = embedding.embed_text(prompts), embedding.embed_text(prompts[1:])
        assert together.shape == (2, embedding.features)
        assert together.isfinite().all()
        assert torch.allclose(together[1:], alone, atol=1e-4), "another text has an influence"
        assert not torch.equal(together[0], together[1]), "all texts are the same to it"
