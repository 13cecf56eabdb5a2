"""A step of training: the losses of a batch, their gradient, and the weights moved along it."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor, nn

from mousai_kit.core.interfaces import NoiseSource, Stage
from mousai_kit.core.seeds import derive_seed
from mousai_kit.data.loader import Batch
from mousai_kit.distributed import Communicator
from mousai_kit.models.blocks import report_compile_errors, wrap_blocks
from mousai_kit.models.conditioning import loss_keywords
from mousai_kit.models.device import autocast
from mousai_kit.recipe import Train
from mousai_kit.training.ema import EMA


@dataclass(frozen=True, slots=True)
class StepResult:
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


class TrainStep:
    """Takes steps on a stage's learned weights, and keeps their average.

    A step is two calls: `gradients` looks at a batch, `update` moves the weights. Between them one
    may think better of it.
    """

    def __init__(
        self, stage: Stage, settings: Train, *, seed: int, ranks: Communicator | None = None
    ) -> None:
        self.settings, self.seed = settings, seed
        self.ranks = ranks or Communicator()
        self.sharded = self.ranks.is_sharded
        self.stage = stage = copy.deepcopy(stage) if self.sharded else stage
        self.together = self.ranks.wrap(_Losses(stage, settings))
        self.device = next(stage.parameters()).device
        self.learned = [parameter for parameter in stage.parameters() if parameter.requires_grad]
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

    def gradients(self, batch: Batch, step: int) -> StepResult:
        """Compute the losses and the gradient of a batch, in `accumulate` parts one after another.

        The batch is this process's part of all that is learned from. All that is random follows
        from the seed, the step and the clip's place in the whole batch.
        """
        self.optimizer.zero_grad()
        rank = self.ranks.own.index
        torch.manual_seed(derive_seed(self.seed, "dropout", step, *([rank] if rank else [])))
        count = len(batch.texts)
        size = -(-count // self.settings.accumulate)
        losses: list[Tensor] = []
        for first in range(0, count, size):
            end = min(first + size, count)
            places = range(rank * count + first, rank * count + end)
            seeds = [derive_seed(self.seed, "noise", step, place) for place in places]
            noise = NoiseSource(seeds, device=self.device)
            signal = batch.signal[first:end].to(self.device, non_blocking=True)
            extras = {
                name: data[first:end].to(self.device, non_blocking=True)
                for name, data in batch.extras.items()
            }
            with (  # processes exchange the gradients they have added up with the last part
                nullcontext() if end == count else self.ranks.no_sync(self.together),
                self.ranks.report_lost_peer(),
                report_compile_errors() if self.settings.compile else nullcontext(),
            ):
                loss = self.together(signal, batch.texts[first:end], noise, extras)
                self.scaler.scale(loss.sum() / count).backward()
            losses.append(loss.detach())
        self.scaler.unscale_(self.optimizer)
        limit = self.settings.clip_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.learned, limit)
        said = self.ranks.all_gather([torch.cat(losses).tolist(), batch.sources, batch.bad])
        each, sources, bad = (list(chain.from_iterable(lines)) for lines in zip(*said, strict=True))
        return StepResult(each, self.ranks.full_tensors({"": norm})[""].item(), sources, bad)

    def update(self, learning_rate: float, step: int) -> None:
        """Move the weights along the gradient, then their average after them, as step `step`."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.ema.update(step)

    def skip(self) -> None:
        """Let the weights be: this step's gradient is not used."""
        self.optimizer.zero_grad()
        self.scaler.update()

    @property
    def scales_loss(self) -> bool:
        """Return whether the loss is scaled (fp16), so that an infinite gradient only means that
        the scale was too large: the weights are left, and it is lowered.
        """
        return self.scaler.is_enabled()


class _Losses(nn.Module):
    """A stage's loss as a module's `forward`, where what exchanges gradients takes hold."""

    def __init__(self, stage: Stage, settings: Train) -> None:
        super().__init__()
        self.stage, self.settings = stage, settings

    def forward(
        self,
        signal: Tensor,
        texts: Sequence[str],
        noise: NoiseSource,
        extras: Mapping[str, Tensor],
    ) -> Tensor:
        """Return the training loss of each clip [b], in the precision of the settings."""
        settings = self.settings
        with (
            autocast(signal.device, settings.precision),
            wrap_blocks(self.stage, recompute=settings.recompute, compiled=settings.compile),
        ):
            return self.stage.loss(signal, texts, noise=noise, **loss_keywords(self.stage, extras))
