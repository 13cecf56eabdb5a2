"""From a file or a name to a validated recipe, or to every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mousai_kit.core.component import Use
from mousai_kit.core.errors import Argument, Problem, RequestError, format_path
from mousai_kit.core.interfaces import Stage
from mousai_kit.core.packaged import RECIPE
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import Registry
from mousai_kit.core.validation import flatten_errors
from mousai_kit.recipe.deprecations import DeprecationPass
from mousai_kit.recipe.distil import unheard_samplers, written_beside
from mousai_kit.recipe.merging import apply_overrides, read_with_bases
from mousai_kit.recipe.nodes import KeyPath, Location, Node, ProblemCollector
from mousai_kit.recipe.option_types import option_type
from mousai_kit.recipe.paths import PathPass
from mousai_kit.recipe.requirements import (
    RequirementAwareLookup,
    add_plugin_requirements,
    default_run_folder,
    required_packages,
    unmet_requirements,
)
from mousai_kit.recipe.schema import Recipe
from mousai_kit.recipe.yaml import parse


def load_recipe(
    source: Path | str,
    overrides: Sequence[str] = (),
    *,
    registry: Registry | None = None,
    run: Path | None = None,
) -> Recipe:
    """Read a recipe file, or a shipped recipe by name, with overrides such as `seed=1`.

    It is made of a registry's components, by default of all that are installed.
    RecipeError tells every problem, each with its file and line or its `--set`. Of a component that
    is not here it tells the package that would bring it, if the recipe or the run folder that it is
    for (`run`; by default `runs/<name>`) says so. Relative paths are beside the file that says
    them, those of overrides in the current folder; the recipe that is returned has them absolute.
    It requires the packages of all its components, and of trained systems that it starts from;
    `notices` tells what it says in words of an earlier version, and which sampler is not heard.
    """
    faults = ProblemCollector()
    registry = installed_registry() if registry is None else registry
    own = run is not None and Path(source) == run / RECIPE
    type_of = partial(option_type, annotation=Recipe, registry=registry)
    tree = apply_overrides(read_with_bases(source, faults), overrides, faults, type_of)
    return _validate(tree, faults, registry, run, own=own)


def recipe_from_yaml(text: str, *, registry: Registry) -> Recipe:
    """Return the recipe that `Recipe.to_yaml` wrote, in an earlier version perhaps.

    RecipeError where it says what today's components do not know.
    """
    faults = ProblemCollector()
    tree = parse(text, Location(0, source="stored recipe"), faults)
    return _validate(tree, faults, registry, None, own=True)


def _validate(
    tree: Node, faults: ProblemCollector, registry: Registry, run: Path | None, *, own: bool
) -> Recipe:
    """Return the recipe of a tree; RecipeError tells all that is wrong with it."""
    today = DeprecationPass(registry, faults)
    paths = PathPass(today.of(tree, Recipe), Recipe, registry)
    tree = paths.tree if own else paths.resolve()
    finder = RequirementAwareLookup(
        registry, required_packages(tree), run or default_run_folder(tree)
    )
    try:
        recipe = Recipe.model_validate(tree.plain(), context={"registry": finder})
    except ValidationError as error:
        for place, message in flatten_errors(error, Recipe):
            beside = written_beside(tree, place)
            faults.add(tree.origin_of(beside), beside, message)
    for place, message in unmet_requirements(tree, complete=finder.complete):
        faults.add(tree.origin_of(place), place, message)
    if faults.found:
        raise faults.error()
    systems = registry.pretrained_systems
    starts = (part.weights for part in recipe.stages.values())
    owners = [systems[name].owner for name in starts if name in systems]
    requires = add_plugin_requirements(recipe.requires, [*finder.owners, *owners])
    models = {name: part.model for name, part in recipe.stages.items()}
    notices = [*today.notices, *paths.notices, *unheard_samplers(tree, models)]
    return recipe.model_copy(update={"requires": requires}).with_source(tree, notices)


def with_sampler_steps(recipe: Recipe, steps: int) -> Recipe:
    """Return the recipe with so many steps in every sampler that has an option `steps`.

    RequestError where no sampler has one, or where one does not allow so many.
    """
    change = _Steps(steps)
    stages = change.of(recipe.stages, ("stages",))
    if not change.changed:
        raise RequestError.about(change.origin, "no sampler of this recipe has an option 'steps'")
    if change.problems:
        raise RequestError(*change.problems)
    return recipe.model_copy(update={"stages": stages})


class _Steps:
    """Walks options down to every sampler, wherever it is nested."""

    def __init__(self, steps: int) -> None:
        self.steps, self.origin = steps, Argument("steps", steps)
        self.changed = False
        self.problems: list[Problem] = []

    def of(self, value: Any, place: KeyPath) -> Any:
        """Return a value with the steps set in every sampler that is in it."""
        match value:
            case Use():
                return self._of_use(value, place)
            case BaseModel():
                return value.model_copy(update=self.of(dict(value), place))
            case Mapping():
                return {key: self.of(item, (*place, key)) for key, item in value.items()}
            case list():
                return [self.of(item, (*place, index)) for index, item in enumerate(value)]
            case _:
                return value

    def _of_use(self, use: Use[Any], place: KeyPath) -> Use[Any]:
        if issubclass(use.component, Stage):
            chosen, inside = use.component.with_steps(use.options, self.steps)
            self.changed |= not inside
            return Use(use.component, self.of(chosen, place) if inside else chosen)
        use = Use(use.component, self.of(use.options, place))
        options = type(use.options)
        if use.component.kind != "sampler" or "steps" not in options.model_fields:
            return use
        self.changed = True
        changed = {**dict(use.options), "steps": self.steps}
        try:
            return Use(use.component, options.model_validate(changed))
        except ValidationError as error:
            for inner, message in flatten_errors(error, options):
                self.problems.append(Problem(self.origin, format_path((*place, *inner)), message))
        return use
