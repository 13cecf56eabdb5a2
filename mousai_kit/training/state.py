"""Training state: all that a training goes on from, as named tensors and JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mousai_kit.core.interfaces import Stage
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import CHANGED
from mousai_kit.training.callbacks.base import Callback
from mousai_kit.training.loss_guard import LossGuard
from mousai_kit.training.train_step import TrainStep


def checkpoint_size(stage: Stage, *, given: bool = False) -> dict[str, int]:
    """Return the bytes of a stage's files: of its `weights`, and of a `checkpoint`.

    A checkpoint holds what is learned four times (weights, average, two moments), and lacks what is
    `given` and never learns.
    """
    state = {key: tensor.nbytes for key, tensor in stage.state_dict().items()}
    weights = sum(state.values())
    learned = sum(tensor.nbytes for tensor in stage.parameters() if tensor.requires_grad)
    frozen = [key for key, tensor in stage.named_parameters() if not tensor.requires_grad]
    left_out = sum(state.get(key, 0) for key in frozen) if given else 0
    return {"weights": weights, "checkpoint": weights - left_out + 3 * learned}


@dataclass(slots=True)
class TrainState:
    """A training's weights, their average and moments, its step and time, and what its parts
    remember. Of weights that are shared out among processes, each has its part of the tensors.
    """

    learner: TrainStep
    guard: LossGuard
    origin: Mapping[str, Any]
    """What every file says of where it comes from."""
    observers: list[Callback] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0

    def tensors(self, *, keep: bool = True) -> Mapping[str, Tensor]:
        """Return `live/...`, `ema/...` and `optimizer/<parameter>/...`; useless where not kept."""
        return self._whole(self._named_tensors(), keep=keep)

    def average(self, *, keep: bool) -> Mapping[str, Tensor]:
        """Return the averaged weights, and all else of a stage, by name."""
        learner = self.learner
        return self._whole(learner.stage.state_dict() | learner.ema.weights, keep=keep)

    def header(self) -> dict[str, Any]:
        """Return what files of now say of where they come from."""
        return {**self.origin, "step": self.step, "seconds": round(self.seconds, 3)}

    def values(self) -> dict[str, Any]:
        """Return a checkpoint's header: where it is from, and what each part remembers, if any."""
        scaler = self.learner.scaler
        parts = {
            "learner": {"scale": scaler.state_dict()} if scaler.is_enabled() else {},
            "guard": self.guard.state(),
            "observers": {part.name: part.state() for part in self.observers if part.name},
        }
        return self.header() | {name: state for name, state in parts.items() if state}

    def load(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any], origin: str) -> None:
        """Go on from a checkpoint; WeightsError, naming `origin`, where it is another model's."""
        self.load_learner(tensors, header, origin)
        self.step, self.seconds = header["step"], header["seconds"]
        if CHANGED in header:
            self.origin = {**self.origin, CHANGED: header[CHANGED]}
        self.guard.load(header.get("guard", {}))
        states = header.get("observers", {})
        for part in self.observers:
            part.load(states.get(part.name, {}))

    def load_learner(
        self, tensors: Mapping[str, Tensor], header: Mapping[str, Any], origin: str
    ) -> None:
        """Take over weights, averages, moments and loss scale alone; WeightsError, and nothing
        changed, where they don't fit.
        """
        learner = self.learner
        groups: dict[str, dict[str, Tensor]] = {"live": {}, "ema": {}, "optimizer": {}}
        for name, tensor in self._parts(tensors).items():
            group, _, rest = name.partition("/")
            groups.setdefault(group, {})[rest] = tensor
        checkpoint.check_tensors_fit(learner.ema.weights, groups["ema"], origin=origin)
        checkpoint.load_into(learner.stage, groups["live"], origin=origin)
        learner.ema.load(groups["ema"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in groups["optimizer"].items():
            number, _, key = name.partition("/")
            state.setdefault(int(number), {})[key] = tensor
        learner.optimizer.load_state_dict({**learner.optimizer.state_dict(), "state": state})
        scale = header.get("learner", {}).get("scale")
        if scale and learner.scaler.is_enabled():
            learner.scaler.load_state_dict(scale)

    def _named_tensors(self) -> dict[str, Tensor]:
        """Return all tensors as this process has them."""
        learner = self.learner
        moments = {
            f"optimizer/{number}/{key}": value
            for number, state in learner.optimizer.state_dict()["state"].items()
            for key, value in state.items()
        }
        averages = {f"ema/{name}": value for name, value in learner.ema.weights.items()}
        live = {f"live/{name}": value for name, value in learner.stage.state_dict().items()}
        return live | averages | moments

    def _whole(self, tensors: Mapping[str, Tensor], *, keep: bool) -> Mapping[str, Tensor]:
        learner = self.learner
        return learner.ranks.full_tensors(tensors, keep=keep) if learner.sharded else tensors

    def _parts(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return this process's parts of whole tensors."""
        learner = self.learner
        if not learner.sharded:
            return tensors
        like = self._named_tensors()
        for number, parameter in enumerate(learner.learned):
            like |= {f"optimizer/{number}/{key}": parameter for key in ("exp_avg", "exp_avg_sq")}
        return {
            name: learner.ranks.shard_like(tensor, like.get(name))
            for name, tensor in tensors.items()
        }
