"""Another project's weights: a file, a folder or a model on the hub; tensors only, never code."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from mousai_kit.core.errors import (
    RequestError,
    WeightsError,
    argument_error,
    did_you_mean,
    error_summary,
    join_quoted,
)
from mousai_kit.models import hub
from mousai_kit.recipe import RUNS
from mousai_kit.runs.run_folder import packaged_under, trained_hint

SAFE, TORCH = (".safetensors",), (".pt", ".pth", ".ckpt", ".bin", ".th")
"""How files of weights end: those that are taken first, and those of torch."""
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class WeightSource:
    """A file of weights, and what to call where it is from."""

    path: Path
    name: str
    """The file, the folder or the model, as the user gave it."""
    file: str = ""
    """The file's name within a folder or a model."""
    revision: str = ""
    """The commit of a model on the hub."""

    @classmethod
    def find(
        cls,
        name: str,
        *,
        file: str | None = None,
        revision: str | None = None,
        preferred: Sequence[str] = (),
    ) -> WeightSource:
        """Return a source's one file of weights, fetched if it is on the hub.

        A name may be a trained system's of a package. Where `file` does not say which, the first of
        `preferred` that is there is taken.
        RequestError or WeightsError where there is none, where it is not clear which, or where the
        hub can't be asked.
        """
        packaged = packaged_under(name)
        path = packaged.folder if packaged else Path(name).expanduser()
        if not path.exists() and is_model(name, revision):
            return _from_hub(name, file, revision, preferred)
        if revision is not None:
            told = "is for a model on the hub, and this is a file or folder"
            raise argument_error("revision", told)
        if path.is_dir():
            chosen = _choose(_files(path), file, name, preferred)
            return cls(path / chosen, name, chosen)
        if not path.is_file():
            told = "is no file, no folder, and no name of a model (owner/name)"
            raise RequestError.about(name, told + trained_hint(name))
        if file is not None:
            told = "names a file of a folder or a model, and this is a file"
            raise argument_error("file", told)
        return cls(path, name)

    def provenance(self) -> dict[str, str]:
        """Return where the weights are from, for a header; the digest is the whole file's."""
        with self.path.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
        told = {"source": self.name, "file": self.file, "revision": self.revision}
        return {**{key: text for key, text in told.items() if text}, "sha256": digest}

    def __str__(self) -> str:
        return f"{self.name}/{self.file}" if self.file else self.name


def is_model(name: str, revision: str | None = None) -> bool:
    """Tell a model on the hub, `owner/name`, from a path that is not there.

    What begins like a folder that is here is a path, and so is all in `runs`; a revision decides.
    """
    if "/" not in name or hub.HUB_ID.fullmatch(name) is None:
        return False
    owner = name.partition("/")[0]
    local = owner == RUNS.name or Path(owner).exists()
    return not name.endswith((*SAFE, *TORCH, ".yaml")) and (revision is not None or not local)


def _from_hub(
    model: str, file: str | None, revision: str | None, preferred: Sequence[str]
) -> WeightSource:
    """Return a model's file of weights; one that is here already needs no network."""
    try:
        if revision is not None and COMMIT.fullmatch(revision):
            folder = hub.find_cached(model, revision, [])
            files = [] if folder is None else _files(folder)
            if folder is not None and _weights_in(files, file):
                chosen = _choose(files, file, model, preferred)
                return WeightSource(folder / chosen, model, chosen, revision)
        commit, files = hub.list_repo_files(model, revision)
        chosen = _choose(files, file, model, preferred)
        return WeightSource(hub.download(model, commit, [chosen]) / chosen, model, chosen, commit)
    except (RequestError, WeightsError):
        raise
    except Exception as error:  # whatever the hub's client and its network library raise
        told = f"can't be fetched: {hub.explain_hub_error(error, 'such file')}"
        raise WeightsError.about(model, f"{told}; download it and name the file") from error


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def _weights_in(files: Sequence[str], wanted: str | None) -> list[str]:
    """Return the files of weights, those of safetensors alone where there are any."""
    if wanted is not None:
        return [file for file in files if file == wanted]
    for endings in (SAFE, TORCH):
        if found := sorted(file for file in files if file.endswith(endings)):
            return found
    return []


def _choose(files: Sequence[str], wanted: str | None, origin: str, preferred: Sequence[str]) -> str:
    """Return the one file of weights among others; RequestError where it is not clear which."""
    if wanted is None:
        wanted = next((name for name in preferred if name in files), None)
    found = _weights_in(files, wanted)
    if len(found) == 1:
        return found[0]
    if wanted is not None:
        raise RequestError.about(origin, f"holds no file '{wanted}'{did_you_mean(wanted, files)}")
    if not found:
        endings = ", ".join((*SAFE, *TORCH))
        raise RequestError.about(origin, f"holds no file of weights ({endings})")
    told = f"none of them {preferred[-1]}" if preferred else "say --file"
    raise RequestError.about(
        origin, f"holds several files of weights; {told}: {join_quoted(found)}"
    )


NESTED = ("ema", "ema_state_dict", "state_dict", "model_state_dict", "model", "module", "net")
"""Under which keys trainers save a state dict; averaged weights come first."""


def load_state_dict_file(path: Path, origin: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors or torch file by name, on the CPU.

    WeightsError, in which the file is called `origin`, where it holds none or is broken.
    """
    if path.suffix == ".safetensors":
        try:
            return {_plain_name(name): tensor for name, tensor in load_file(path).items()}
        except (SafetensorError, OSError) as error:
            raise _broken_file(origin, error) from None
    tensors = _tensors(_load_torch(path, origin))
    if not tensors:
        raise WeightsError.about(origin, "holds no state dict: no tensors by name")
    return tensors


def tensor_shapes(path: Path, origin: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name, on the meta device: only shapes are read.

    WeightsError, in which the file is called `origin`, where it is broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _broken_file(origin, error) from None
    return {_plain_name(name): torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _load_torch(path: Path, origin: str) -> Any:
    """Return what a torch file holds, if that is data alone."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error).lower() and "unsupported" not in str(error).lower():
            raise _broken_file(origin, error) from None
        raise WeightsError.about(
            origin,
            "holds more than tensors, which could run code, and is not read; "
            "save its state_dict() alone",
        ) from None
    except Exception as error:  # a file may be broken in any way
        raise _broken_file(origin, error) from None


def _tensors(value: Any) -> dict[str, Tensor]:
    """Return the state dict in what a trainer saved, empty where there is none."""
    if not isinstance(value, Mapping):
        return {}
    for key in NESTED:
        if isinstance(value.get(key), Mapping) and (found := _tensors(value[key])):
            return found
    return {
        _plain_name(str(name)): tensor
        for name, tensor in value.items()
        if isinstance(tensor, Tensor)
    }


def _plain_name(name: str) -> str:
    """Return a tensor's name without what torch.compile puts before those of a compiled module."""
    return name.replace("_orig_mod.", "")


def _broken_file(origin: str, error: Exception) -> WeightsError:
    return WeightsError.about(origin, f"is broken or cut short ({error_summary(error)})")
