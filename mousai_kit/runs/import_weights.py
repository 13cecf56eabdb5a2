"""Importing: another project's weights become stages of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mousai_kit.core.errors import RecipeError, RequestError, argument_error, suggest
from mousai_kit.core.interfaces import Stage, TensorNames, WeightFormat
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.weight_matching import NameMatch
from mousai_kit.runs.weight_source import WeightSource, load_state_dict_file


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    weights: str
    """The file that was written."""
    source: str
    tensors: int
    prefix: str
    """How all names begin in the source."""
    outside: int
    """Tensors of the source that do not begin so, and were left aside."""
    kept: list[str]
    """Tensors of ours that the source can't have; they stay at their defaults."""
    set_aside: str
    """Where weights are now that were there before; empty where none were."""
    provenance: dict[str, str]


class Importer:
    """Brings weights of one format into stages of a run; checks first that it has such ones."""

    def __init__(self, form: str, recipe: Recipe, folder: RunFolder, *, stage: str | None) -> None:
        """Raise RequestError or RecipeError where the format can't hold such a stage.

        `stage` None means all of them, where the format knows which file holds which.
        """
        self.form, self.recipe, self.folder = form, recipe, folder
        known = list(recipe.stages)
        if stage is None and not all(self._files(name) for name in known):
            raise argument_error("stage", f"must say which stage the {form} weights are for")
        self.stages = known if stage is None else [stage]
        self.layouts = {name: resolve_layouts(form, recipe, name) for name in self.stages}
        below = known[: known.index(self.stages[-1])]
        folder.check_trained(recipe, [name for name in below if name not in self.stages])

    def run(self, name: str, *, file: str | None, revision: str | None) -> list[Imported]:
        """Write the stages' weights from a file, a folder or a model on the hub.

        RequestError or WeightsError, and nothing written, where they are not there or do not fit.
        """
        taken = [
            self._match(stage, self._find(stage, name, file, revision)) for stage in self.stages
        ]
        return [taking.write(self.recipe, self.folder) for taking in taken]

    def _files(self, stage: str) -> Mapping[str, str]:
        """Return the files of the format's folders that hold a stage, if it knows them."""
        return find_format(self.form).files(self.recipe.stages[stage].model)

    def _find(
        self, stage: str, name: str, file: str | None, revision: str | None
    ) -> dict[WeightSource, str]:
        """Return the files that hold a stage, each with what goes before its names."""
        known = self._files(stage)
        if file is not None or not known or Path(name).is_file():
            return {
                WeightSource.find(name, file=file, revision=revision): known.get(file or "", "")
            }
        found = {}
        for inside, prefix in known.items():
            source = WeightSource.find(name, file=inside, revision=revision)
            found[source], revision = prefix, source.revision or revision
        return found

    def _match(self, stage: str, sources: Mapping[WeightSource, str]) -> _Taken:
        """Return a stage's tensors; WeightsError where those of the files do not fit."""
        layouts, outline = self.layouts[stage]
        found = {
            prefix + name: tensor
            for source, prefix in sources.items()
            for name, tensor in load_state_dict_file(source.path, str(source)).items()
        }
        match = NameMatch.best(layouts, found.keys())
        origin = " and ".join(map(str, sources))
        tensors = match.to_ours(found, outline.state_dict(), origin=origin)
        told = [source.provenance() for source in sources]
        provenance = {"format": self.form} | {
            key: " and ".join(dict.fromkeys(each[key] for each in told)) for key in told[0]
        }
        return _Taken(stage, origin, tensors, match, match.outside(found), provenance)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A stage's tensors out of another project's files, not written yet."""

    stage: str
    source: str
    tensors: dict[str, Tensor]
    match: NameMatch
    outside: int
    provenance: dict[str, str]

    def write(self, recipe: Recipe, folder: RunFolder) -> Imported:
        """Write them as a trained stage of a run."""
        with folder.lock():
            files = folder.stage(self.stage)
            folder.write("recipe.yaml", recipe.to_yaml())
            before = str(files.set_aside()) if files.latest_weights() else ""
            files.path.mkdir(exist_ok=True)
            header = folder.provenance(recipe, self.stage) | {"imported": self.provenance}
            checkpoint.write_checkpoint(files.weights, self.tensors, header)
        return Imported(
            weights=str(files.weights),
            source=self.source,
            tensors=len(self.tensors) - len(self.match.names.defaults),
            prefix=self.match.prefix,
            outside=self.outside,
            kept=list(self.match.names.defaults),
            set_aside=before,
            provenance=self.provenance,
        )


def find_format(name: str) -> WeightFormat:
    """Return a weight format by its name; RequestError where there is none."""
    try:
        found: Any = installed_registry().find("weight_format", name)
    except LookupError as error:
        raise RequestError(str(error)) from None
    return found(found.Options())


def resolve_layouts(form: str, recipe: Recipe, name: str) -> tuple[list[TensorNames], Stage]:
    """Return how a format names a recipe's stage, and the stage on the meta device.

    RequestError for an unknown format or stage; RecipeError names each option that the format's
    project has no network for.
    """
    if name not in recipe.stages:
        hint = suggest(name, recipe.stages)
        raise argument_error("stage", f"the recipe has no stage '{name}'{hint}")
    model, known = recipe.stages[name].model, find_format(form)
    if faults := [
        problem
        for place, what in known.faults(model)
        for problem in recipe.error_at(("stages", name, "model", *place), what).problems
    ]:
        raise RecipeError(*faults)
    stage = Cascade.build(recipe, device="meta").stages[name]
    found = list(known.layouts(model, stage))
    named = {pair.ours for pair in found[0].pairs} | found[0].defaults.keys()
    if nameless := [item for item in stage.state_dict() if item not in named]:
        raise recipe.error_at(("stages", name, "model"), f"{form} has no name for {nameless[0]}")
    return found, stage


def summary_lines(imported: Imported) -> list[str]:
    """Return what to say of an import, a line each."""
    lines = [f"{imported.source}: {imported.tensors} tensors fit"]
    if imported.prefix:
        lines[0] += f", behind '{imported.prefix}'"
    if imported.outside:
        lines.append(f"left aside: {imported.outside} tensors that do not begin so")
    if imported.kept:
        lines.append(f"not in such a file, and left at their defaults: {', '.join(imported.kept)}")
    if imported.set_aside:
        lines.append(f"the weights that were there are kept in {imported.set_aside}")
    if revision := imported.provenance.get("revision"):
        lines.append(f"revision: {revision}")
    return lines
