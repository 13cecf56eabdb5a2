"""A step of training: the losses of a batch, their gradient, and the weights moved along it."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from mousai_kit.compiling import compiler_told
from mousai_kit.interfaces import NoiseSource, Stage
from mousai_kit.precision import autocast
from mousai_kit.ranks import Ranks
from mousai_kit.recipe import Train
from mousai_kit.repeating import repeating
from mousai_kit.seeds import derive
from mousai_kit.training.ema import EMA
from mousai_kit.training.loading import Batch
from mousai_kit.training.state import packed, unpack


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step found: the loss of each clip, and the gradient's norm before it was clipped."""

    losses: list[float]
    gradient_norm: float
    sources: list[str]
    """The clips' tracks, in the order of the losses."""
    bad: list[str] = field(default_factory=list)
    """Files that were passed over, a line each."""

    @property
    def loss(self) -> float:
        """Return the mean of the clips' losses."""
        return sum(self.losses) / len(self.losses)


class Learner:
    """Takes steps on a stage's learned weights, and keeps their average.

    A step is two calls: `gradients` looks at a batch, `update` moves the weights. Between them one
    may think better of it.
    """

    def __init__(
        self, stage: Stage, settings: Train, *, seed: int, ranks: Ranks | None = None
    ) -> None:
        self.settings, self.seed = settings, seed
        self.ranks = ranks or Ranks()
        self.stage = stage = copy.deepcopy(stage) if self.ranks.sharded else stage
        self.together = self.ranks.learned_together(_Losses(stage))
        self.device = next(stage.parameters()).device
        self.learned = [it for it in stage.parameters() if it.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.learned,
            lr=settings.learning_rate,
            betas=(settings.betas[0], settings.betas[1]),
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.ema = EMA(
            stage, decay=settings.ema, power=settings.ema_power, every=settings.ema_every
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")

    def gradients(self, batch: Batch, step: int) -> Taken:
        """Compute the losses and the gradient of a batch, in `accumulate` parts one after another.

        The batch is this process's part of all that is learned from. All that is random follows
        from the seed, the step and the clip's place in the whole batch.
        """
        self.optimizer.zero_grad()
        rank = self.ranks.own.index
        torch.manual_seed(derive(self.seed, "dropout", step, *([rank] if rank else [])))
        count = len(batch.texts)
        size = -(-count // self.settings.accumulate)
        losses: list[Tensor] = []
        for first in range(0, count, size):
            part = slice(first, min(first + size, count))
            losses.append(self._learn(batch, part, step))
        self.scaler.unscale_(self.optimizer)
        limit = self.settings.clip_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.learned, limit)
        said = self.ranks.gathered([torch.cat(losses).tolist(), batch.sources, batch.bad])
        each, sources, bad = (list(chain.from_iterable(it)) for it in zip(*said, strict=True))
        return Taken(each, self.ranks.whole({"": norm})[""].item(), sources, bad)

    def update(self, learning_rate: float, step: int) -> None:
        """Move the weights along the gradient, then their average after them, as step `step`."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.ema.update(step)

    def leave(self) -> None:
        """Let the weights be: this step's gradient is not used."""
        self.optimizer.zero_grad()
        self.scaler.update()

    @property
    def scaled(self) -> bool:
        """Return whether the loss is scaled (fp16), so that an infinite gradient only means that
        the scale was too large: the weights are left, and it is lowered.
        """
        return self.scaler.is_enabled()

    def packed(self, *, keep: bool) -> Mapping[str, Tensor]:
        """Return weights, their average and moments by name; useless where they are not kept."""
        return self.ranks.whole(packed(self.stage, self.ema, self.optimizer), keep=keep)

    def unpack(self, tensors: Mapping[str, Tensor], *, origin: str) -> None:
        """Go on from what `packed` returned; WeightsError, naming `origin`, where it can't be."""
        like = packed(self.stage, self.ema, self.optimizer)
        for number, parameter in enumerate(self.learned):
            like |= {f"optimizer/{number}/{key}": parameter for key in ("exp_avg", "exp_avg_sq")}
        parts = {name: self.ranks.parted(it, like.get(name)) for name, it in tensors.items()}
        unpack(parts, self.stage, self.ema, self.optimizer, origin=origin)

    def average(self, *, keep: bool) -> Mapping[str, Tensor]:
        """Return the averaged weights, and all else of a stage, by name."""
        return self.ranks.whole(self.stage.state_dict() | self.ema.weights, keep=keep)

    def state(self) -> dict[str, Any]:
        """Return what there is to remember beside tensors, as JSON values."""
        return {"scale": self.scaler.state_dict()} if self.scaled else {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        if self.scaled and "scale" in state:
            self.scaler.load_state_dict(state["scale"])

    def _learn(self, batch: Batch, part: slice, step: int) -> Tensor:
        """Add up the gradient of a part of a batch; return the loss of each clip [b].

        The processes exchange what they have added up with the last part.
        """
        count = len(batch.texts)
        last = part.stop == count
        with (
            nullcontext() if last else self.ranks.apart(self.together),
            self.ranks.heard(),
            compiler_told() if self.settings.compile else nullcontext(),
        ):
            loss = self._losses(batch, part, step)
            self.scaler.scale(loss.sum() / count).backward()
        return loss.detach()

    def _losses(self, batch: Batch, part: slice, step: int) -> Tensor:
        """Return the loss of each clip of a part of a batch [b]."""
        before = self.ranks.own.index * len(batch.texts)
        places = range(before + part.start, before + part.stop)
        seeds = [derive(self.seed, "noise", step, place) for place in places]
        noise = NoiseSource(seeds, device=self.device)
        signal = batch.signal[part].to(self.device, non_blocking=True)
        settings = self.settings
        with (
            autocast(self.device, settings.precision),
            repeating(recomputed=settings.recompute, compiled=settings.compile),
        ):
            return self.together(signal, batch.texts[part], noise)


class _Losses(nn.Module):
    """A stage's loss as a module's `forward`, where what exchanges gradients takes hold."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, signal: Tensor, texts: Sequence[str], noise: NoiseSource) -> Tensor:
        """Return the training loss of each clip [b]."""
        return self.stage.loss(signal, texts, noise=noise)
