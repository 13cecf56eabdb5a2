"""Exporting: a run's averaged weights as plain files, under our names or another project's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from mousai_kit import __version__, checkpoints
from mousai_kit.durable import check_folder
from mousai_kit.errors import Problem, RequestError, near_or_all
from mousai_kit.exchange.importing import layouts
from mousai_kit.exchange.matching import theirs
from mousai_kit.interfaces import Names
from mousai_kit.plugins import installed
from mousai_kit.recipe import RECIPE, Recipe
from mousai_kit.runs import RunFolder

OWN = "safetensors"
"""The format of our own names."""


class Exporter:
    """Writes weights of a run into a folder, beside the recipe; never over a file.

    Our own names go into `<stage>.safetensors`. Another project's go into `<stage>.<format>.pt`, a
    torch file, where a tensor of several names is stored once; what the project has no name for
    goes into `<stage>.rest.safetensors`, unless it is as it was before training.
    """

    def __init__(
        self, recipe: Recipe, folder: RunFolder, *, form: str, stage: str | None, out: Path
    ) -> None:
        """Raise where something is not trained, can't be held by the format, or is there already.

        `stage` None means all that are trained.
        """
        _check_format(form)
        self.recipe, self.folder, self.form, self.out = recipe, folder, form, out
        self.stages = [stage] if stage else folder.trained(recipe)
        if stage is not None and stage not in recipe.stages:
            raise RequestError(
                f"--stage: the recipe has no stage '{stage}'{near_or_all(stage, recipe.stages)}"
            )
        folder.check_trained(recipe, self.stages or None)
        self.names: dict[str, Names] = {}
        if form != OWN:
            self.names = {name: layouts(form, recipe, name)[0][0] for name in self.stages}
        self._check_out()

    def write(self) -> list[Path]:
        """Write all files; return them."""
        self.out.mkdir(parents=True, exist_ok=True)
        files = [self._file(RECIPE, self.recipe.dump().encode())]
        for name in self.stages:
            tensors = self.folder.load(self.recipe, name)
            if self.form == OWN:
                files.append(self._file(f"{name}.safetensors", self._safe(name, tensors)))
                continue
            data = _torch(theirs(self.names[name], tensors))
            files.append(self._file(f"{name}.{self.form}.pt", data))
            if rest := _rest(self.names[name], tensors):
                files.append(self._file(f"{name}.rest.safetensors", self._safe(name, rest)))
        return files

    def _check_out(self) -> None:
        check_folder(self.out)
        endings = ["safetensors"] if self.form == OWN else [f"{self.form}.pt", "rest.safetensors"]
        files = [RECIPE, *(f"{name}.{ending}" for name in self.stages for ending in endings)]
        there = [self.out / file for file in files if (self.out / file).exists()]
        if there:
            told = "is there already; name another folder with --out"
            raise RequestError(*(Problem(str(path), "", told) for path in there))

    def _file(self, name: str, data: bytes) -> Path:
        checkpoints.write_bytes(self.out / name, data)
        return self.out / name

    def _safe(self, stage: str, tensors: Mapping[str, Tensor]) -> bytes:
        """Return a safetensors file that says in a few words what it is."""
        header = checkpoints.header(self.folder.stage(stage).weights)
        about = {
            "made_by": f"mousai-kit {__version__}",
            "recipe": self.recipe.name,
            "stage": stage,
            "component": self.recipe.stages[stage].model.component.name,
            "weights": header["digest"],
        }
        return save(dict(tensors), metadata=about)


def _check_format(form: str) -> None:
    known = sorted({OWN, *installed().names("weight_format")})
    if form not in known:
        raise RequestError(f"--format: no format is called '{form}'{near_or_all(form, known)}")


def _torch(tensors: Mapping[str, Tensor]) -> bytes:
    """Return a torch file; tensors that share their memory are stored once."""
    buffer = io.BytesIO()
    torch.save(dict(tensors), buffer)
    return buffer.getvalue()


def _rest(names: Names, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return our tensors that another project has no name for, if they matter."""
    rest = {name: tensors[name] for name in names.defaults}
    same = all(torch.equal(rest[name], value) for name, value in names.defaults.items())
    return {} if same else rest
