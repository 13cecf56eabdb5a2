"""What the rules of stages stand on: a stage as it is built, as it trains, and what it is asked.

Legend: b batch, c channels, t frames of the space below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from mousai_kit.core.interfaces import Condition, GenerationRequest, NoiseSource, SignalSpace, Stage
from mousai_kit.testing.assertions import per_clip, tensor
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.network import learned_parameters
from mousai_kit.testing.signals import chords

PROMPTS = ("low saw", "high bells, fast", "soft drums")
"""A text for each clip, without a word in common."""
CONDITIONS: tuple[Condition, ...] = ("training", "right", "other", "none")
STEPS = 50
"""Of training, on one batch."""


@dataclass(frozen=True)
class Trained:
    """A stage that has learned one batch, and its loss before and after."""

    stage: Any
    before: float
    after: float


class StageSuite(Contract):
    """A stage, and the signals that it learns."""

    interface: ClassVar = Stage
    input_space: ClassVar[SignalSpace] = SignalSpace(channels=2, stride=1, sample_rate=8000)
    """What the stage stands on: audio, unless you say the space of another stage's latents."""
    samples: ClassVar[int] = 2048
    """Length of the clips it learns, in samples of audio."""
    learning_rate: ClassVar[float] = 1e-2
    """Of Adam, for fifty steps on one batch."""

    @pytest.fixture(name="trained")
    def trained_stage(self) -> Trained:
        """Return the stage after fifty steps on one batch and noise; it is not to be changed."""
        suite = type(self)
        if suite not in _TRAINED:
            _TRAINED[suite] = self._learn()
        return _TRAINED[suite]

    def _learn(self) -> Trained:
        """Train the stage, for all rules of a suite; one that learns nothing stays as it is."""
        stage, signal = self.stage(), self.signals()
        learned = [*learned_parameters(stage).values()]
        if not learned:
            before = self.loss(stage, signal).mean().item()
            return Trained(stage.eval(), before, before)
        optimizer = torch.optim.Adam(learned, lr=self.learning_rate)
        losses = []
        for _ in range(STEPS):
            loss = self.loss(stage, signal).mean()
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
        after = self.loss(stage, signal).mean().item()
        return Trained(stage.eval(), losses[0], after)

    def fresh(self, *, seed: int = 0, device: str = "cpu") -> Any:
        """Return the stage as it is built."""
        with torch.device(device):
            return self.build(seed=seed, input_space=self.input_space)

    def state_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shapes of what is built, by name."""
        return {
            name: tuple(getattr(tensor, "shape", ()))
            for name, tensor in self.fresh().state_dict().items()
        }

    def stage(self) -> Any:
        """Return the stage as training begins: what it needs is there and measured."""
        return self._prepare(self.fresh()).train()

    def _prepare(self, stage: Any, *, form: Callable[[Any], Iterable[Tensor]] = iter) -> Any:
        """Return a stage after what it needs was fetched, and its signals, in a form, measured."""
        stage.download()
        stage.fit_statistics(form(self.signals().split(1)), list(PROMPTS))
        return stage

    def signals(self, frames: int | None = None) -> Tensor:
        """Return three clips [3, input_space.channels, t], each of another chord."""
        length = self.input_space.frames(self.samples) if frames is None else frames
        return chords(3, self.input_space.channels, length)

    def loss(
        self,
        stage: Any,
        signal: Tensor,
        *,
        condition: Condition = "training",
        first: int = 0,
        seeds: int = 0,
    ) -> Tensor:
        """Return the loss [b] of clips whose texts are the prompts from `first` on."""
        places = range(first, first + len(signal))
        noise = NoiseSource([1000 * seeds + place for place in places])
        prompts = [PROMPTS[place % len(PROMPTS)] for place in places]
        made = stage.loss(signal, prompts, noise=noise, condition=condition)
        return per_clip(made, len(signal), "loss must return a tensor [b], a loss per clip")

    def request(self, clips: int = 3, samples: int | None = None, **more: Any) -> GenerationRequest:
        """Return a request for clips of the prompts, a seed each."""
        asked: dict[str, Any] = {
            "prompts": list(PROMPTS[:clips]),
            "seeds": list(range(5, 5 + clips)),
            "samples": self.samples if samples is None else samples,
        }
        return GenerationRequest(**{**asked, **more})

    def latents(self, stage: Any, samples: int | None = None) -> Tensor | None:
        """Return what the stage above would hand down for such clips; None at the top."""
        if stage.latent_space is None:
            return None
        frames = self.input_space.frames(self.samples if samples is None else samples)
        return self.encode(stage, self.signals(frames))

    def encode(self, stage: Any, signal: Tensor) -> Tensor:
        """Return the latents of signals."""
        rule = "encode must return latents, a tensor [b, latent_space.channels, frames]"
        return tensor(stage.encode(signal), rule)

    def decode(self, stage: Any, **asked: Any) -> Tensor:
        """Return what the stage makes of three clips' latents, or of their texts."""
        with torch.no_grad():
            latents = self.latents(stage, asked.get("samples"))
            return self.decode_latents(stage, latents, self.request(**asked))

    def decode_latents(
        self, stage: Any, latents: Tensor | None, request: GenerationRequest
    ) -> Tensor:
        """Return what the stage makes of latents, or of texts."""
        rule = "decode must return signals, a tensor [b, input_space.channels, frames]"
        return tensor(stage.decode(latents, request), rule)


_TRAINED: dict[type[StageSuite], Trained] = {}
"""What suites have trained."""
