"""All that a training goes on from, as named tensors: weights, their average, moments."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.optim import Optimizer

from mousai_kit import checkpoints
from mousai_kit.interfaces import Stage
from mousai_kit.training.ema import EMA


def packed(stage: Stage, ema: EMA, optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the state as `live/...`, `ema/...` and `optimizer/<parameter>/...`."""
    moments = {
        f"optimizer/{number}/{key}": value
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }
    averages = {f"ema/{name}": value for name, value in ema.weights.items()}
    live = {f"live/{name}": value for name, value in stage.state_dict().items()}
    return live | averages | moments


def sizes(stage: Stage, ema: EMA) -> tuple[int, int]:
    """Return the bytes of a checkpoint, and of the files of weights: the finished and the best."""
    weights = sum(it.nbytes for it in stage.state_dict().values())
    learned = sum(it.nbytes for it in ema.weights.values())
    return weights + 3 * learned, 2 * weights


def unpack(
    tensors: Mapping[str, Tensor], stage: Stage, ema: EMA, optimizer: Optimizer, *, origin: str
) -> None:
    """Put a packed state back; WeightsError, naming `origin`, where it is another model's.

    Nothing is changed then.
    """
    groups: dict[str, dict[str, Tensor]] = {"live": {}, "ema": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    checkpoints.check_fit(ema.weights, groups["ema"], origin=origin)
    checkpoints.load_into(stage, groups["live"], origin=origin)
    ema.load(groups["ema"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in groups["optimizer"].items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
