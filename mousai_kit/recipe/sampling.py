"""Another number of sampling steps for a whole recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mousai_kit.component import Use
from mousai_kit.errors import Problem, RequestError, dotted
from mousai_kit.problems import problems_in
from mousai_kit.recipe.schema import Recipe
from mousai_kit.recipe.values import Place


def with_sampler_steps(recipe: Recipe, steps: int) -> Recipe:
    """Return the recipe with so many steps in every sampler that has an option `steps`.

    RequestError where no sampler has one, or where one does not allow so many.
    """
    change = _Steps(steps)
    stages = change.of(recipe.stages, ("stages",))
    if not change.changed:
        change.problems.append(
            Problem(change.origin, "", "no sampler of this recipe has an option 'steps'")
        )
    if change.problems:
        raise RequestError(*change.problems)
    return recipe.model_copy(update={"stages": stages})


class _Steps:
    """Walks options down to every sampler, wherever it is nested."""

    def __init__(self, steps: int) -> None:
        self.steps, self.origin = steps, f"--steps {steps}"
        self.changed = False
        self.problems: list[Problem] = []

    def of(self, value: Any, place: Place) -> Any:
        """Return a value with the steps set in every sampler that is in it."""
        match value:
            case Use():
                return self._of_use(Use(value.component, self.of(value.options, place)), place)
            case BaseModel():
                fields = {key: getattr(value, key) for key in type(value).model_fields}
                return value.model_copy(update=self.of(fields, place))
            case Mapping():
                return {key: self.of(item, (*place, key)) for key, item in value.items()}
            case list():
                return [self.of(item, (*place, index)) for index, item in enumerate(value)]
            case _:
                return value

    def _of_use(self, use: Use[Any], place: Place) -> Use[Any]:
        options = type(use.options)
        if use.component.kind != "sampler" or "steps" not in options.model_fields:
            return use
        self.changed = True
        fields = {key: getattr(use.options, key) for key in options.model_fields}
        try:
            return Use(use.component, options.model_validate({**fields, "steps": self.steps}))
        except ValidationError as error:
            for inner, message in problems_in(error, options):
                self.problems.append(Problem(self.origin, dotted((*place, *inner)), message))
        return use
