"""Changed settings: a stage that goes on from its checkpoints, trained otherwise than before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from mousai_kit.core.errors import WeightsError
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import CHANGED, RunFolder, describe_changes


def settings_changed(folder: RunFolder, header: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the settings, old and new, with which a stage could go on from its checkpoint.

    Empty where it has none, or one that differs in more than how the stage is trained.
    """
    path = _newest(folder, header)
    return {} if path is None else folder.changed_settings(path, header)


def step_of(folder: RunFolder, header: dict[str, Any]) -> int:
    """Return the step of a stage's newest checkpoint; 0 where there is none."""
    path = _newest(folder, header)
    return 0 if path is None else int(checkpoint.read_header(path)["step"])


def adopt_checkpoints(folder: RunFolder, header: dict[str, Any]) -> str:
    """Make a stage's checkpoints the new recipe's; return what to say of it.

    Each tells at which step settings changed. Tensors stay: weights, averages and moments. Weights
    that were finished with the old settings are kept aside.
    """
    name, files = header["stage"], folder.stage(header["stage"])
    changed, step = settings_changed(folder, header), step_of(folder, header)
    told = f"{name}: going on with other settings from step {step} ({describe_changes(changed)})"
    for path in checkpoint.list_checkpoints(files.checkpoints):
        with suppress(WeightsError):  # a broken one is told of when it is gone on from
            _adopt(folder, path, header)
    if not files.weights.exists():
        return told
    return f"{told}; the finished weights are kept as {files.set_weights_aside()}"


def _adopt(folder: RunFolder, path: Path, header: dict[str, Any]) -> None:
    if not (changed := folder.changed_settings(path, header)):
        return
    tensors, found = checkpoint.read_checkpoint(path)
    about = {key: value for key, value in found.items() if key not in checkpoint.PLAIN}
    changes = [*found.get(CHANGED, []), {"step": found["step"], "keys": changed}]
    checkpoint.write_snapshot(path, tensors, {**about, **header, CHANGED: changes})


def _newest(folder: RunFolder, header: dict[str, Any]) -> Path | None:
    found = checkpoint.list_checkpoints(folder.stage(header["stage"]).checkpoints)
    return next(filter(checkpoint.is_checkpoint, found), None)
