"""The run folder: where a system's weights, logs, audio and report lie, a folder a stage."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from torch import Tensor

from mousai_kit.core import files
from mousai_kit.core.errors import Problem, RunError, WeightsError, did_you_mean, some
from mousai_kit.core.files import write_bytes
from mousai_kit.core.interfaces import Split
from mousai_kit.core.packaged import OURS, WEIGHTS, Packaged
from mousai_kit.core.plugins import installed_registry
from mousai_kit.distributed import Rank, unmanaged_launcher
from mousai_kit.recipe import RECIPE, RUNS, Recipe, diff_paths, model_key, stage_fingerprint_values
from mousai_kit.recipe.fingerprint import changed_settings, drop_settings, key_today
from mousai_kit.runs import checkpoint as checkpoints


class StageDirectory:
    """The files of one stage."""

    def __init__(self, path: Path, trained: Path | None = None) -> None:
        """Name them; `trained` is where the weights lie of a stage that is only played."""
        self.path = path
        self.weights = (trained or path) / WEIGHTS
        """The trained, averaged weights."""
        self.checkpoints = path / "checkpoints"
        """The folder of what training goes on from."""
        self.trainable_weights = path / "learned.safetensors"
        """For a while, that part of the averaged weights which was learned."""
        self.adapter = path / "adapter.safetensors"
        """What LoRA learned, apart from the weights it was learned for."""
        self.log = path / "log.jsonl"
        """The log of training, a JSON value a line."""
        self.curves = path / "loss.png"
        """The picture of the course of training."""
        self.demos = path / "demos"
        """The folder of what was heard during training."""

    @property
    def checkpoint(self) -> Path | None:
        """Return the newest file that training can go on from, or None."""
        return next(iter(checkpoints.list_checkpoints(self.checkpoints)), None)

    def latents(self, split: Split) -> Path:
        """Return the folder of the latents that the stage learns from."""
        return self.path / f"latents-{split}"

    def latest_weights(self) -> Path | None:
        """Return the finished weights, else the newest checkpoint with a header, else None."""
        if self.weights.exists():
            return self.weights
        found = checkpoints.list_checkpoints(self.checkpoints)
        return next(filter(checkpoints.is_checkpoint, found), None)

    @property
    def origin(self) -> str:
        """Return where imported weights are from; empty for weights that were trained here."""
        header = checkpoints.read_header(self.weights) if self.weights.exists() else {}
        if not (found := header.get("imported")):
            return ""
        place = "/".join(found[key] for key in ("source", "file") if key in found)
        revision = f", revision {found['revision']}" if "revision" in found else ""
        return f"{place} ({found['format']}{revision}, sha256 {found['sha256'][:16]})"

    @property
    def changes(self) -> list[str]:
        """Return which settings of training changed on the way, a line each time; see `--go-on`."""
        header = checkpoints.read_header(self.weights) if self.weights.exists() else {}
        return [
            f"from step {change['step']} on with other settings: {describe_changes(change['keys'])}"
            for change in header.get(CHANGED, [])
        ]

    def set_aside(self, but: Iterable[str] = ()) -> Path:
        """Rename the folder, so that nothing is lost; return its new name.

        Latents stay where they are, and folders `but` some: they may serve again, and tell
        themselves what made them.
        """
        target = self._old_path()
        self.path.rename(target)
        inside = (target / name for name in but if (target / name).is_dir())
        for folder in [*target.glob("latents-*/"), *inside]:
            self.path.mkdir(exist_ok=True)
            folder.rename(self.path / folder.name)
        return target

    def set_weights_aside(self) -> Path:
        """Move the finished weights alone, so that they are not replaced; return their new path."""
        target = self._old_path()
        target.mkdir()
        return self.weights.rename(target / self.weights.name)

    def _old_path(self) -> Path:
        """Return a name beside the folder that nothing has yet."""
        numbered = (self.path.with_name(f"{self.path.name}.old-{n}") for n in count(1))
        return next(path for path in numbered if not path.exists())


def describe_changes(keys: Mapping[str, Sequence[Any]]) -> str:
    """Return settings that changed as `train.batch 8 -> 16, train.warmup 0 -> 100`."""
    told = (f"{key} {' -> '.join(map(json.dumps, values))}" for key, values in keys.items())
    return ", ".join(told)


CHANGED = "changed"
"""What a file says of settings of training that changed at a step: `step`, and `keys` with the old
value and the new one of each."""
Key = dict[str, Any]
INITIAL_WEIGHTS = "start"
"""What a file says of the weights that training started from: what stands for them."""


class RunFolder:
    """A run folder: `recipe.yaml`, a folder a stage, `audio/`, `report.md`.

    Of a trained system that lies elsewhere, in a package or fetched from the hub, `trained` is
    where recipe and weights are: nothing is written there; what is made goes to `path`.
    """

    def __init__(self, path: Path, trained: Path | None = None) -> None:
        self.path, self.trained_in = path, trained
        self.recipe = (trained or path) / RECIPE
        """The recipe that made the run."""
        self.audio = path / "audio"
        """The folder for clips."""
        self.skipped_list = path / "skipped.txt"
        """The list of music that was left out, with the reasons."""

    @classmethod
    def default(cls, recipe: Recipe) -> RunFolder:
        """Return the run folder that a recipe has where none is named: `runs/<name>`."""
        return cls(RUNS / recipe.name)

    @staticmethod
    def is_run(path: Path) -> bool:
        """Return whether a path is a run folder."""
        return (path / RECIPE).is_file()

    def stage(self, name: str) -> StageDirectory:
        """Return the files of a stage."""
        trained = self.trained_in and self.trained_in / name
        return StageDirectory(self.path / name, trained)

    def check_own(self) -> None:
        """Raise RunError where what is made of a system that lies elsewhere would mix with a run.

        Its clips may: each says what made it. Reports don't.
        """
        if self.trained_in and self.is_run(self.path):
            told = "is another run's folder, whose report this would replace"
            raise RunError.about(self.path, f"{told}; stand in another folder")

    def make(self) -> None:
        """Create the folder; RunError where that can't be."""
        if self.path.is_file():
            raise RunError.about(self.path, "is a file; name a folder for the run")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs out of the folder; RunError where one is in it or it can't be written.

        Of several processes that work together, the first does so for all.
        """
        if not Rank.here().main:
            yield
            return
        self.make()
        with ExitStack() as lock:
            try:
                lock.enter_context(files.file_lock(self.path / ".lock"))
            except files.LockHeldError as error:
                raise RunError.about(self.path, _used_by(str(error))) from None
            except OSError as error:
                raise self._unusable(error) from None
            yield

    def write(self, name: str, text: str) -> Path:
        """Write a text file of the run, whole or not at all; one that says so already is left."""
        path = self.path / name
        if path.is_file() and path.read_bytes() == text.encode():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode())
        return path

    def provenance(self, recipe: Recipe, name: str) -> dict[str, Any]:
        """Return what the files of a stage say of where they come from."""
        return self._made_of(recipe, name) | {"recipe": recipe.whole.to_yaml()}

    def _made_of(self, recipe: Recipe, name: str) -> dict[str, Any]:
        """Return the part of a stage's provenance that decides its weights."""
        names = list(recipe.stages)
        below = [self.stage(other).weights for other in names[: names.index(name)]]
        return {
            "stage": name,
            "key": stage_fingerprint_values(recipe, name),
            "below": [checkpoints.read_header(path)["digest"] for path in below],
        }

    def mismatches(self, path: Path, expected: dict[str, Any]) -> list[str]:
        """Return in what a stage's file differs from what is expected; empty where it fits."""
        found = checkpoints.read_header(path)
        return diff_paths(*_keys(found, expected)) or _other_beginning(found, expected)

    def changed_settings(self, path: Path, expected: dict[str, Any]) -> dict[str, list[Any]]:
        """Return the settings, old and new, that a stage's file was trained with otherwise.

        Empty where it fits, and where anything but how the stage is trained differs.
        """
        found = checkpoints.read_header(path)
        if _other_beginning(found, expected):
            return {}
        return changed_settings(*_keys(found, expected), expected["stage"])

    def check_trained(self, recipe: Recipe, names: Sequence[str] | None = None) -> None:
        """Raise WeightsError naming every stage (of `names`) that is not trained."""
        wanted = recipe.stages if names is None else names
        paths = [self.stage(name).weights for name in wanted]
        told = "is missing: the stage is not trained; `mousai-kit run` trains it"
        if missing := [Problem(str(path), "", told) for path in paths if not path.exists()]:
            raise WeightsError(*missing)

    def trained_stages(self, recipe: Recipe) -> list[str]:
        """Return the stages whose weights are there."""
        return [name for name in recipe.stages if self.stage(name).weights.exists()]

    def load(self, recipe: Recipe, name: str) -> dict[str, Tensor]:
        """Return a stage's finished weights; WeightsError names what another recipe's differ in."""
        self.check(recipe, name)
        return checkpoints.read_checkpoint(self.stage(name).weights)[0]

    def check(self, recipe: Recipe, name: str) -> None:
        """Raise WeightsError where a stage's finished weights are another recipe's, or broken."""
        path = self.stage(name).weights
        if different := self.mismatches(path, self._made_of(recipe, name)):
            raise WeightsError.about(
                path, f"was made by another recipe; it differs in {some(different)}"
            )

    def _unusable(self, error: OSError) -> RunError:
        return RunError.about(
            self.path, f"can't be written ({error.strerror}); name another folder for the run"
        )


def _keys(found: Key, expected: Key) -> tuple[Key, Key]:
    """Return what decides weights, as a file tells and as is expected, without what is no matter.

    Where they differ, the file's with the names and defaults of today's components.
    """
    old, new = _decisive(found, found.get("key", {}), expected)
    return (old, new) if old == new else _decisive(found, key_today(found), expected)


def _decisive(found: Key, old: Key, expected: Key) -> tuple[Key, Key]:
    """Return two keys, that of a file and the expected one, without what is no matter.

    How the stages below were trained is none where their weights are the very ones.
    """
    new = expected["key"]
    if "imported" in found:  # not trained here, so not on the recipe's music either
        return _model_of(old), model_key(new)
    if found.get("below") != expected["below"]:
        return old, new
    below = (name for name in new["stages"] if name != expected["stage"])
    idle = dict.fromkeys(below, ("train", "first"))
    return drop_settings(old, idle), drop_settings(new, idle)


def _model_of(key: Key) -> Key:
    """Return the model of a file's key; all of one that tells of none."""
    return model_key(key) if {"audio", "stages"} <= key.keys() else key


def _other_beginning(found: Key, expected: Key) -> list[str]:
    """Return which weights that a training builds on a file had otherwise; empty for the same."""
    if found.get("below") != expected["below"]:
        return ["the weights of the stage below"]
    if INITIAL_WEIGHTS in expected and found.get(INITIAL_WEIGHTS) != expected[INITIAL_WEIGHTS]:
        return ["the weights that it starts from"]
    return []


def _used_by(owner: str) -> str:
    """Return what to say where another process uses a run folder."""
    told = f"is in use by another run (process {owner})"
    if started := unmanaged_launcher():
        return (
            f"{told}: {started}; for one training let it start torchrun, which starts this (see "
            "docs/cluster.md), for several give each a folder of its own"
        )
    return f"{told}; wait for it or name another folder for the run"


def packaged_under(name: str) -> Packaged | None:
    """Return the trained system of a package that a word means; None where it means none.

    A run folder or a file of that name where we stand comes first: `./name` is always one.
    """
    path = Path(name)
    here = path.is_file() or RunFolder.is_run(path)
    return None if here else installed_registry().pretrained_systems.get(name)


def trained_hint(name: str) -> str:
    """Return what may help who looks for a trained system that is not here; empty if nothing."""
    registry = installed_registry()
    if name in OURS and name not in registry.pretrained_systems:
        package = OURS[name]
        told = f"; it comes with {package}, whose files lack here: pip install --force-reinstall"
        return registry.trained_left_out(name) or f"{told} {package}"
    return registry.trained_left_out(name) or did_you_mean(name, registry.pretrained_systems)
