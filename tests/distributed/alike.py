"""How far what several processes learned may be from what one learned."""

from pathlib import Path

import nano
import pytest
import torch

from mousai_kit.runs import checkpoint

BOUND = 1e-6
"""How far weights may be from those of one process, relative to their size: sums of float32 in
another order, after 4 steps. Measured: 5e-9 and less; with LoRA 5e-8."""
ADAPTER_BOUND = 1e-5
"""The same where files hold but a LoRA adapter, of which a half begins at 0. Measured: 2e-6."""


def distance(one, other):
    """Return the norm of the difference of two states, relative to the first's norm."""
    assert {name: it.shape for name, it in one.items()} == {
        name: it.shape for name, it in other.items()
    }
    floats = [name for name, it in one.items() if it.is_floating_point()]
    flat = [torch.cat([it[name].double().flatten() for name in floats]) for it in (one, other)]
    return float((flat[0] - flat[1]).norm() / flat[0].norm())


def assert_alike(one, other, bound=BOUND):
    """Compare the files of weights of two runs or stages of theirs, and what their logs tell."""
    names = [sorted(it.relative_to(run) for it in _files(run)) for run in (one, other)]
    assert names[0] == names[1]
    for name in names[0]:
        if name.suffix == ".safetensors":
            apart = distance(
                *(checkpoint.read_checkpoint(Path(it) / name)[0] for it in (one, other))
            )
            assert apart < bound, name
        else:
            _assert_logs_alike(*(nano.log_of(Path(it) / name) for it in (one, other)))


def _files(run):
    return [
        it
        for it in Path(run).rglob("*")
        if it.name == "log.jsonl" or (it.suffix == ".safetensors" and "latents" not in str(it))
    ]


def _assert_logs_alike(one, other):
    """Compare the figures of logs but for those in warnings, which are rounded."""
    told = [[line | line.pop("validation", {}) for line in it] for it in (one, other)]
    for before, after in zip(*told, strict=True):
        figures = [{k: v for k, v in it.items() if k != "warning"} for it in (before, after)]
        assert figures[1] == pytest.approx(figures[0], rel=1e-5, nan_ok=True)
