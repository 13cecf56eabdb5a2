"""Targets: what a command's words stand for: recipes, trained systems, prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import (
    RequestError,
    RunError,
    argument_error,
    did_you_mean,
    format_value,
)
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import RECIPE, RUNS, Recipe, load_recipe, shipped_recipes, with_sampler_steps
from mousai_kit.recipe.shipped import shipped_under
from mousai_kit.runs.adapter import load_adapters
from mousai_kit.runs.publications import fetch_publication
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder, packaged_under, trained_hint
from mousai_kit.runs.weight_source import is_model


def resolve_recipe(
    source: str,
    overrides: Sequence[str] | None,
    *,
    run: Path | None = None,
    own: bool = False,
    screen: Screen | None = None,
) -> Recipe:
    """Return a recipe by its file or its shipped name, with overrides, for a run folder or none.

    What it says in words of an earlier version is told on the screen; of a run folder's `own`
    recipe, which this program wrote, only what the overrides say.
    """
    run = Path(source).parent if own else run
    recipe = load_recipe(source, overrides or (), registry=installed_registry(), run=run)
    own = own or (run is not None and Path(source) == run / RECIPE)
    for line in recipe.notices:
        if not own or line.startswith("--set "):
            (screen or Screen()).print(line)
    return recipe


def trained_system(
    target: str,
    overrides: Sequence[str] | None,
    steps: int | None = None,
    adapters: Sequence[str] = (),
    revision: str | None = None,
) -> Run:
    """Return the system that a word means (see `resolve_run`), not loaded yet.

    `adapters` are `PATH` or `PATH:STRENGTH`. An error where it is not trained.
    """
    recipe, folder = resolve_run(target, overrides, steps, revision)
    folder.check_trained(recipe)
    found = load_adapters(_strengths(adapters), recipe.stages)
    return Run(recipe, folder, Screen(), found, to_load=True)


def _strengths(adapters: Sequence[str]) -> dict[str, float]:
    """Return paths with a strength each, 1 where none is said; a path may have colons itself."""
    found: dict[str, float] = {}
    for said in adapters:
        path, colon, number = said.rpartition(":")
        if not colon or Path(said).exists():
            path, number = said, "1"
        try:
            found[path] = found.get(path, 0.0) + float(number)
        except ValueError:
            told = "must be PATH or PATH:STRENGTH, the strength a number"
            raise argument_error("adapters", f"{told} (got {format_value(said)})") from None
    return found


def half_trained_system(
    target: str,
    overrides: Sequence[str] | None,
    steps: int | None = None,
    revision: str | None = None,
) -> Run:
    """Return the system that a word means, not loaded yet, of which not all may be trained."""
    return Run(*resolve_run(target, overrides, steps, revision), Screen())


def resolve_run(
    target: str,
    overrides: Sequence[str] | None,
    steps: int | None = None,
    revision: str | None = None,
) -> tuple[Recipe, RunFolder]:
    """Return the recipe and the folder of what a word means; an error where it means nothing.

    A run folder, a recipe with its default run folder, the name of a trained system of a package,
    or that of a system on the hub, of which `revision` says the commit. What lies here comes first.
    """
    folder = _folder_called(target, revision)
    source = str(folder.recipe) if folder else target
    recipe = resolve_recipe(source, overrides, own=folder is not None)
    if steps is not None:
        recipe = with_sampler_steps(recipe, steps)
    return recipe, folder or RunFolder.default(recipe)


def is_system(word: str) -> bool:
    """Return whether a word means a run folder, or a trained system of a package."""
    return RunFolder.is_run(Path(word)) or packaged_under(word) is not None


def _folder_called(target: str, revision: str | None) -> RunFolder | None:
    """Return the folder of a trained system; None where a recipe is named."""
    path, packaged = Path(target), packaged_under(target)
    hub = not path.exists() and is_model(target, revision) and not shipped_under(target)
    if revision is not None and not hub:
        told = f"is for a model on the hub, and '{target}' is none"
        raise argument_error("revision", told)
    if RunFolder.is_run(path):
        if other := installed_registry().pretrained_systems.get(target):
            told = f"the run folder here, not the trained system of that name of {other.owner}"
            Screen().print(f"{target}: {told}")
        return RunFolder(path)
    if hub:
        fetched, commit = fetch_publication(target, revision)
        Screen().print(f"{target}: revision {commit}")
        return RunFolder(RUNS / path.name, fetched)
    if path.is_file() or shipped_under(target):
        return None
    if packaged:
        return RunFolder(RUNS / target, packaged.folder)
    if path.is_dir():
        told = "is no run folder: it holds no recipe.yaml; `run` makes one"
        raise RunError.about(target, told)
    _check_there(target)
    return None


def _check_there(target: str) -> None:
    """Raise RunError where a user's word is no file and no shipped recipe, either."""
    if target.startswith("~") or Path(target).exists():
        return
    runs = [path.parent for folder in (Path(), RUNS) for path in folder.glob(f"*/{RECIPE}")]
    known = [*map(str, runs), *(str(path) for path in Path().glob("*.yaml")), *shipped_recipes()]
    hint = trained_hint(target) or did_you_mean(target, known)
    instead = hint or "; `mousai-kit run RECIPE` makes a run folder"
    raise RunError.about(target, f"there is no such run folder and no such recipe{instead}")


def import_target(
    recipe: str | None, into: Path | None, overrides: Sequence[str] | None, *, usual: str
) -> tuple[Recipe, RunFolder]:
    """Return the recipe and the folder of the run that weights go into: one that is there, or new.

    A new one has the `usual` recipe where none is named.
    RequestError where a run that is there has a recipe and another is named.
    """
    wanted = recipe or usual
    folder = RunFolder(into) if into else RunFolder.default(resolve_recipe(wanted, overrides))
    if not RunFolder.is_run(folder.path):
        return resolve_recipe(wanted, overrides, run=into), folder
    if recipe is not None:
        told = "has a recipe of its own; leave --recipe out, or use --into for another folder"
        raise RequestError.about(folder.path, told)
    return resolve_recipe(str(folder.recipe), overrides, own=True), folder
