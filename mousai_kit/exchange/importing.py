"""Importing: another project's weights become a stage of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mousai_kit import checkpoints
from mousai_kit.cascade import Cascade
from mousai_kit.errors import RecipeError, RequestError, near_or_all
from mousai_kit.exchange.matching import Match
from mousai_kit.exchange.reading import state_dict
from mousai_kit.exchange.source import Source
from mousai_kit.interfaces import Names, Stage, WeightFormat
from mousai_kit.plugins import installed
from mousai_kit.recipe import Recipe
from mousai_kit.runs import RunFolder


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
        self.layouts, self.stage = layouts(form, recipe, stage)
        folder.check_trained(recipe, list(recipe.stages)[: list(recipe.stages).index(stage)])

    def take(self, source: Source) -> Imported:
        """Write the stage's weights; WeightsError, and nothing written, where they do not fit."""
        found = state_dict(source.path, str(source))
        match = Match.best(self.layouts, found.keys())
        tensors = match.ours(found, self.stage.state_dict(), origin=str(source))
        provenance = {"format": self.form, **source.provenance()}
        with self.folder.locked():
            files = self.folder.stage(self.name)
            self.folder.write("recipe.yaml", self.recipe.dump())
            before = str(files.set_aside()) if files.newest() else ""
            files.path.mkdir(exist_ok=True)
            header = self.folder.header(self.recipe, self.name) | {"imported": provenance}
            checkpoints.write(files.weights, tensors, header)
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


def layouts(form: str, recipe: Recipe, name: str) -> tuple[list[Names], Stage]:
    """Return how a format names a recipe's stage, and the stage on the meta device.

    RequestError for an unknown format or stage; RecipeError names each option that the format's
    project has no network for.
    """
    if name not in recipe.stages:
        hint = near_or_all(name, recipe.stages)
        raise RequestError(f"--stage: the recipe has no stage '{name}'{hint}")
    model, known = recipe.stages[name].model, _format(form)
    if faults := [
        problem
        for place, what in known.faults(model)
        for problem in recipe.fault(("stages", name, "model", *place), what).problems
    ]:
        raise RecipeError(*faults)
    stage = Cascade.build(recipe, device="meta").stages[name]
    found = list(known.layouts(model, stage))
    named = {pair.ours for pair in found[0].pairs} | found[0].defaults.keys()
    if nameless := [it for it in stage.state_dict() if it not in named]:
        raise recipe.fault(("stages", name, "model"), f"{form} has no name for {nameless[0]}")
    return found, stage


def told(imported: Imported) -> list[str]:
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
        found: Any = installed().find("weight_format", name)
    except LookupError as error:
        raise RequestError(str(error)) from None
    known: WeightFormat = found(found.Options())
    return known
