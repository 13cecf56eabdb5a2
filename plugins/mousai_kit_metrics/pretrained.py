"""Pretrained embeddings: the base of those that are a network of transformers.

Legend: b batch, c channels, t time in samples, n windows, d features.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

import mousai_kit.api as mk
from mousai_kit_metrics.windows import cut_windows

AT_ONCE = 8
"""Windows that the network is given at a time."""
SHORTEST = 0.1
"""Seconds of a window at least; silence is put after what is shorter."""


class PretrainedEmbedding(mk.Embedding):
    """A network of transformers that hears a clip in windows, from the hub or a folder.

    It loads at the first use or in `download`, which raise WeightsError where it can't be had.
    Clips are made mono and have the network's own sample rate before it hears them.
    """

    needed: ClassVar[tuple[str, ...]] = ("config.json", "preprocessor_config.json")
    """Its files beside the weights."""
    fallback_hint: ClassVar[str]
    """What errors say that can be done instead."""
    options: mk.CheckpointOptions

    def __init__(self, options: mk.CheckpointOptions, *, sample_rate: int) -> None:
        super().__init__(options, sample_rate=sample_rate)
        self.network: Any = None
        self.extractor: Any = None
        self.register_buffer("_place", torch.empty(0), persistent=False)

    @property
    def features(self) -> int:  # type: ignore[override]
        """Return the size of a vector; the network knows it."""
        self.download()
        return self.count_features()

    def download(self) -> None:
        """Load the network, fetched where need be; WeightsError where it can't be had."""
        if self.network is None:
            options = self.options
            checkpoint = mk.PretrainedCheckpoint.find(
                options.model,
                options.revision,
                fallback_hint=self.fallback_hint,
                needed=self.needed,
            )
            network = self.load_network(checkpoint)
            self.extractor = checkpoint.feature_extractor()
            self.network = network.to(self.device).eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Return where it computes."""
        return self.get_buffer("_place").device

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Return vectors [b, n, d] of audio [b, c, t]; in float32 also where less is asked for."""
        self.download()
        rate = int(self.extractor.sampling_rate)
        mono = mk.resample(wave.to(self.device).float().mean(1), self.sample_rate, rate)
        shortest = round(SHORTEST * rate)
        mono = pad(mono, (0, max(0, shortest - mono.shape[-1])))
        windows = cut_windows(mono, round(self.window_seconds() * rate))
        with torch.autocast(self.device.type, enabled=False):
            parts = windows.flatten(0, 1).split(AT_ONCE)
            vectors = torch.cat([self.embed_windows(part).float() for part in parts])
        return vectors.unflatten(0, windows.shape[:2])

    def extract(self, windows: Tensor) -> dict[str, Tensor]:
        """Return what the network is given for windows [n, t] at its own rate."""
        extractor = self.extractor
        found = extractor(
            list(windows.cpu().numpy()), sampling_rate=extractor.sampling_rate, return_tensors="pt"
        )
        return {name: value.to(self.device) for name, value in found.items()}

    @abstractmethod
    def load_network(self, checkpoint: mk.PretrainedCheckpoint) -> Any:
        """Return a checkpoint's network; WeightsError, by `checkpoint.fault`, where it is none."""

    @abstractmethod
    def count_features(self) -> int:
        """Return the size of a vector, once the network is there."""

    @abstractmethod
    def window_seconds(self) -> float:
        """Return the length of a window, once the network is there."""

    @abstractmethod
    def embed_windows(self, windows: Tensor) -> Tensor:
        """Return vectors [n, d] of windows [n, t] at the network's own rate."""


def model_type(checkpoint: mk.PretrainedCheckpoint) -> str:
    """Return which network a checkpoint's configuration describes; WeightsError if none."""
    try:
        return str(checkpoint.config()["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = "its config.json describes no network of transformers"
        raise checkpoint.fault(told) from error
