"""Exporting: a run's averaged weights as plain files, under our names or another project's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from mousai_kit import __version__
from mousai_kit.core.errors import Problem, RequestError, argument_error, suggest
from mousai_kit.core.files import check_folder, write_bytes
from mousai_kit.core.interfaces import TensorNames
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import RECIPE, Recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.import_weights import resolve_layouts
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.weight_matching import to_theirs

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
        known = sorted({OWN, *installed_registry().names("weight_format")})
        if form not in known:
            raise argument_error("format", f"no format is called '{form}'{suggest(form, known)}")
        self.recipe, self.folder, self.form, self.out = recipe, folder, form, out
        self.stages = [stage] if stage else folder.trained_stages(recipe)
        if stage is not None and stage not in recipe.stages:
            told = f"the recipe has no stage '{stage}'{suggest(stage, recipe.stages)}"
            raise argument_error("stage", told)
        folder.check_trained(recipe, self.stages or None)
        foreign = [] if form == OWN else self.stages
        self.names = {name: resolve_layouts(form, recipe, name)[0][0] for name in foreign}
        self._check_out()

    def write(self) -> list[Path]:
        """Write all files; return them."""
        self.out.mkdir(parents=True, exist_ok=True)
        files = [self._file(RECIPE, self.recipe.to_yaml().encode())]
        for name in self.stages:
            tensors = self.folder.load(self.recipe, name)
            if self.form == OWN:
                files.append(self._file(f"{name}.safetensors", self._safe(name, tensors)))
                continue
            # in a torch file tensors that share their memory are stored once
            torch.save(to_theirs(self.names[name], tensors), buffer := io.BytesIO())
            files.append(self._file(f"{name}.{self.form}.pt", buffer.getvalue()))
            if rest := _rest(self.names[name], tensors):
                files.append(self._file(f"{name}.rest.safetensors", self._safe(name, rest)))
        return files

    def _check_out(self) -> None:
        check_folder(self.out)
        endings = ["safetensors"] if self.form == OWN else [f"{self.form}.pt", "rest.safetensors"]
        files = [RECIPE, *(f"{name}.{ending}" for name in self.stages for ending in endings)]
        there = [self.out / file for file in files if (self.out / file).exists()]
        if there:
            told = "is there already; name another folder to write to"
            raise RequestError(*(Problem(str(path), "", told) for path in there))

    def _file(self, name: str, data: bytes) -> Path:
        write_bytes(self.out / name, data)
        return self.out / name

    def _safe(self, stage: str, tensors: Mapping[str, Tensor]) -> bytes:
        """Return a safetensors file that says in a few words what it is."""
        header = checkpoint.read_header(self.folder.stage(stage).weights)
        about = {
            "made_by": f"mousai-kit {__version__}",
            "recipe": self.recipe.name,
            "stage": stage,
            "component": self.recipe.stages[stage].model.component.name,
            "weights": header["digest"],
        }
        return save(dict(tensors), metadata=about)


def _rest(names: TensorNames, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return our tensors that another project has no name for, if they matter."""
    rest = {name: tensors[name] for name in names.defaults}
    same = all(torch.equal(rest[name], value) for name, value in names.defaults.items())
    return {} if same else rest
