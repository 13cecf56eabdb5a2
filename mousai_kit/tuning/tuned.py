"""Tuned: a stage while it learns what its recipe leaves to learn, and as it is afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mousai_kit import checkpoints
from mousai_kit.errors import MousaiError
from mousai_kit.interfaces import Stage
from mousai_kit.recipe import Recipe
from mousai_kit.stage_folder import StageFolder
from mousai_kit.tuning import lora
from mousai_kit.tuning.adapter import Adapter
from mousai_kit.tuning.given import Given
from mousai_kit.tuning.patterns import matched
from mousai_kit.tuning.state import LeftOut


class Tuned:
    """A stage of a recipe, from the weights that it starts from to those that it ends with.

    Between `begin` and `end` its parameters that require a gradient are those that learn, and its
    state dict lacks those that are as given. RecipeError where there are none of a name.
    """

    def __init__(self, recipe: Recipe, name: str, stage: Stage, given: Given | None = None) -> None:
        self.recipe, self.name, self.stage, self.given = recipe, name, stage, given
        self.part = recipe.stages[name]
        self._known = [key for key, it in stage.named_parameters() if it.requires_grad]
        self._frozen = self._matched()
        self._adapted = [] if self.part.lora is None else lora.chosen(recipe, name, stage)
        self._left_out: LeftOut | None = None

    @property
    def learns(self) -> bool:
        """Whether anything is left to learn; else the given weights are taken as they are."""
        return len(self._frozen) < len(self._known) or not self._known

    @property
    def needs_preparing(self) -> bool:
        """Whether statistics are to be measured: complete weights come with their own."""
        return self.given is None or self.part.partial

    @property
    def keeps_apart(self) -> bool:
        """Whether training keeps only a part of the weights: the rest is as given."""
        return self._left_out is not None

    def take(self, files: StageFolder, header: Mapping[str, Any]) -> None:
        """Make the given weights the stage's own, as they are."""
        self._load()
        checkpoints.write(files.weights, self.stage.state_dict(), header)

    def begin(self) -> None:
        """Take the given weights, and leave only that to learn which is to be learned."""
        taken = self._load()
        if self.part.lora is not None:
            lora.attach(self.stage, self._adapted, self.part.lora, seed=self.recipe.seed)
            taken = [key for key, it in self.stage.named_parameters() if not it.requires_grad]
        for name in self._frozen:
            self.stage.get_parameter(name).requires_grad_(False)
        stay = (key for key, it in self.stage.named_parameters() if not it.requires_grad)
        if as_given := set(taken).intersection(stay):
            self._left_out = LeftOut(self.stage, as_given)

    def end(self, files: StageFolder) -> None:
        """Write the whole weights, and the adapter where there is one; load them into the stage."""
        assert self._left_out is not None
        learned, header = checkpoints.read(files.learned)
        checkpoints.load_into(self.stage, learned, origin=str(files.learned))
        self._left_out.end()
        about = {key: it for key, it in header.items() if key not in checkpoints.PLAIN}
        if self.part.lora is not None and self.given is not None:
            pairs = lora.detach(self.stage)
            Adapter.write(files.adapter, pairs, self.part.lora, about, self.given.digest)
            Adapter.read(files.adapter).add_to(self.stage)
        for name in self._known:
            self.stage.get_parameter(name).requires_grad_(True)
        checkpoints.write(files.weights, self.stage.state_dict(), about)
        files.learned.unlink()

    def _matched(self) -> list[str]:
        """Return the parameters that the recipe freezes."""
        place, part = ("stages", self.name, "freeze"), self.part
        found = matched(part.freeze, self._known, recipe=self.recipe, place=place, what="parameter")
        if found == self._known and found and (part.weights is None or part.partial):
            told = (
                "leaves nothing to learn, which is for complete `weights` to be taken as they are"
            )
            raise self.recipe.fault(place, told)
        return found

    def _load(self) -> list[str]:
        """Load the given weights, if any; return the names of those taken."""
        if self.given is None:
            return []
        try:
            return self.given.load_into(self.stage, partial=self.part.partial)
        except MousaiError as error:
            raise self.recipe.fault(("stages", self.name, "weights"), str(error)) from None
