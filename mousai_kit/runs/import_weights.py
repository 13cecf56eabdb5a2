"""Importing: another project's weights become a stage of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    """Brings weights of one format into one stage of a run; checks first that it has such a one."""

    def __init__(self, form: str, recipe: Recipe, folder: RunFolder, *, stage: str) -> None:
        """Raise RequestError or RecipeError where the format can't hold such a stage."""
        self.form, self.recipe, self.name, self.folder = form, recipe, stage, folder
        self.layouts, self.stage = resolve_layouts(form, recipe, stage)
        folder.check_trained(recipe, list(recipe.stages)[: list(recipe.stages).index(stage)])

    def run(self, source: WeightSource) -> Imported:
        """Write the stage's weights; WeightsError, and nothing written, where they do not fit."""
        found = load_state_dict_file(source.path, str(source))
        match = NameMatch.best(self.layouts, found.keys())
        tensors = match.to_ours(found, self.stage.state_dict(), origin=str(source))
        provenance = {"format": self.form, **source.provenance()}
        with self.folder.lock():
            files = self.folder.stage(self.name)
            self.folder.write("recipe.yaml", self.recipe.to_yaml())
            before = str(files.set_aside()) if files.latest_weights() else ""
            files.path.mkdir(exist_ok=True)
            header = self.folder.provenance(self.recipe, self.name) | {"imported": provenance}
            checkpoint.write_checkpoint(files.weights, tensors, header)
        return Imported(
            weights=str(files.weights),
            source=str(source),
            tensors=len(tensors) - len(match.names.defaults),
            prefix=match.prefix,
            outside=match.outside(found),
            kept=list(match.names.defaults),
            set_aside=before,
            provenance=provenance,
        )


def resolve_layouts(form: str, recipe: Recipe, name: str) -> tuple[list[TensorNames], Stage]:
    """Return how a format names a recipe's stage, and the stage on the meta device.

    RequestError for an unknown format or stage; RecipeError names each option that the format's
    project has no network for.
    """
    if name not in recipe.stages:
        hint = suggest(name, recipe.stages)
        raise argument_error("stage", f"the recipe has no stage '{name}'{hint}")
    model, known = recipe.stages[name].model, _format(form)
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


def _format(name: str) -> WeightFormat:
    try:
        found: Any = installed_registry().find("weight_format", name)
    except LookupError as error:
        raise RequestError(str(error)) from None
    return found(found.Options())
