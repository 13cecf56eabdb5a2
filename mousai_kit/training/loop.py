"""Training: the loop for one stage, from the last checkpoint to the last step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mousai_kit import checkpoints
from mousai_kit.data import Clips
from mousai_kit.errors import Problem, TrainingError
from mousai_kit.interfaces import NoiseSource, Stage
from mousai_kit.recipe import Train
from mousai_kit.recomputing import recomputing
from mousai_kit.seeds import derive
from mousai_kit.training.ema import EMA
from mousai_kit.training.interruption import interruptible
from mousai_kit.training.loading import Batch, batches
from mousai_kit.training.log import Log
from mousai_kit.training.state import packed, unpack
from mousai_kit.training.validation import autocast, losses


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage's training lives on the disk, and what its files say of it."""

    checkpoint: Path
    weights: Path
    log: Path
    header: dict[str, Any]


class Training:
    """Learns one stage. A value of `step` and `seconds` says how far it is."""

    def __init__(
        self,
        name: str,
        stage: Stage,
        settings: Train,
        *,
        seed: int,
        place: Place,
        clips: Clips,
        held_out: Clips | None,
        report: Callable[[str], None],
    ) -> None:
        self.name, self.stage, self.settings, self.place = name, stage, settings, place
        self.clips, self.held_out, self.report = clips, held_out, report
        self.seed = derive(seed, name)
        self.device = next(stage.parameters()).device
        learned = [p for p in stage.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            learned,
            lr=settings.learning_rate,
            betas=(settings.betas[0], settings.betas[1]),
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.ema = EMA(stage, decay=settings.ema, power=settings.ema_power)
        self.log = Log(place.log)
        self.step, self.seconds = 0, 0.0

    def run(self, tick: Callable[[float], None]) -> None:
        """Train to the end; `tick(loss)` is called after each step.

        Ctrl-C ends at the next step with a checkpoint (then KeyboardInterrupt).
        """
        self.stage.train()
        self.log.go_on_from(self.step)
        started = time.monotonic() - self.seconds
        with interruptible() as interrupted:
            for batch in self._batches():
                loss = self.learn(batch)
                self.seconds = time.monotonic() - started
                tick(loss)
                if self.step % self.settings.validate_every == 0 or self.finished:
                    self._validate()
                if self.finished:
                    break
                if self.step % self.settings.checkpoint_every == 0 or interrupted.is_set():
                    self.save()
                if interrupted.is_set():
                    break
            if self.finished:
                self.finish()
            if interrupted.is_set():
                raise KeyboardInterrupt

    @property
    def progress(self) -> float:
        """Return how much of the steps or of the minutes is used, whichever is more, in [0, 1]."""
        minutes = self.settings.minutes
        timed = 0.0 if minutes is None else self.seconds / (60 * minutes)
        return min(1.0, max(self.step / self.settings.steps, timed))

    @property
    def learning_rate(self) -> float:
        """Return the next step's learning rate: warm-up, then the recipe's decay."""
        settings = self.settings
        warm = min(1.0, (self.step + 1) / max(1, settings.warmup))
        left = settings.decay + (1 - settings.decay) * (1 + math.cos(math.pi * self.progress)) / 2
        return settings.learning_rate * warm * left

    @property
    def finished(self) -> bool:
        """Return whether the steps are done or the time is up."""
        return self.progress >= 1

    def save(self) -> None:
        """Write a checkpoint from which training goes on to the very step."""
        tensors = packed(self.stage, self.ema, self.optimizer)
        checkpoints.write(self.place.checkpoint, tensors, self._header())

    def restore(self) -> None:
        """Go on from the checkpoint."""
        tensors, header = checkpoints.read(self.place.checkpoint)
        origin = str(self.place.checkpoint)
        unpack(tensors, self.stage, self.ema, self.optimizer, origin=origin)
        self.step, self.seconds = header["step"], header["seconds"]

    def finish(self) -> None:
        """Write the averaged weights, and the checkpoint to go on from with more steps."""
        self.save()
        self.ema.swap()
        checkpoints.write(self.place.weights, self.stage.state_dict(), self._header())
        self.stage.eval()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the averaged weights' loss on held-out clips: right, other and no condition.

        The noise is the same every time, so that figures can be compared along a run.
        """
        if self.held_out is None or not len(self.held_out):
            return {}
        with self._averaged():
            return losses(
                self.stage, self.held_out, seed=self.seed, precision=self.settings.precision
            )

    def _validate(self) -> None:
        if values := self.validate():
            self._log({"validation": values})

    def _batches(self) -> Iterator[Batch]:
        if self.finished:
            return iter(())
        return batches(
            self.clips,
            seed=self.seed,
            batch=self.settings.batch,
            first=self.step,
            steps=self.settings.steps,
            workers=self.settings.workers,
        )

    def learn(self, batch: Batch) -> float:
        """Take one step; return its loss. TrainingError, and no step, where it is not finite."""
        settings = self.settings
        for line in batch.bad:
            self.report(line)
        torch.manual_seed(derive(self.seed, "dropout", self.step))
        seeds = [derive(self.seed, "noise", self.step, place) for place in range(len(batch.texts))]
        noise = NoiseSource(seeds, device=self.device)
        with autocast(self.device, settings.precision), recomputing(settings.recompute):
            loss = self.stage.loss(batch.signal.to(self.device), batch.texts, noise=noise)
        self._check(loss, batch)
        self.optimizer.zero_grad()
        loss.mean().backward()
        limit = self.settings.clip_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.stage.parameters(), limit)
        self._check(norm.expand(len(loss)), batch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self.step += 1
        self.ema.update(self.step)
        value = loss.mean().item()
        self._log({"loss": value, "gradient_norm": norm.item()})
        return value

    def _check(self, values: Tensor, batch: Batch) -> None:
        """Raise TrainingError where a value per clip is not finite, with step, clip and way out."""
        finite = values.isfinite().tolist()
        if all(finite):
            return
        bad = [source for source, good in zip(batch.sources, finite, strict=True) if not good]
        clips = ", ".join(f"'{source}'" for source in dict.fromkeys(bad[:3]))
        kept = self.place.checkpoint
        known = f"the last good checkpoint is {kept}" if kept.exists() else "there is no checkpoint"
        raise TrainingError(
            Problem(
                self.name,
                f"step {self.step + 1}",
                f"the loss is not finite (NaN or infinity) on {clips}; {known}; "
                "look at the clip, or lower `learning_rate`, or use `precision: fp32`",
            )
        )

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Evaluate with the averaged weights for a while."""
        self.ema.swap()
        self.stage.eval()
        try:
            yield
        finally:
            self.ema.swap()
            self.stage.train()

    def _header(self) -> dict[str, Any]:
        return {**self.place.header, "step": self.step, "seconds": round(self.seconds, 3)}

    def _log(self, values: dict[str, Any]) -> None:
        self.log.add({"step": self.step, "seconds": round(self.seconds, 2), **values})
