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


def unpack(
    tensors: Mapping[str, Tensor], stage: Stage, ema: EMA, optimizer: Optimizer, *, origin: str
) -> None:
    """Put a packed state back; WeightsError, naming `origin`, where it is another model's."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    checkpoints.load_into(stage, groups.get("live", {}), origin=origin)
    ema.load(groups["ema"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in groups["optimizer"].items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
