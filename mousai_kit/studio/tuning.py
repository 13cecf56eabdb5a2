"""Tuning: the recipe that trainings of a studio follow, and what a musician chooses in it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor

from mousai_kit.core.errors import MousaiError, RecipeError, argument_error
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.lora import target_layers
from mousai_kit.recipe import Recipe, load_recipe
from mousai_kit.studio.music import CropNeeds

TUNE = "mousai-tune"
"""The recipe that tunes the starter."""
ALL, ADAPTER = "all", "adapter"
METHODS = {ALL: "All weights", ADAPTER: "An adapter (LoRA)"}
"""What can be tuned, and what that is called."""
STEPS, RANK = 1000, 16
MOST_STEPS, MOST_RANK = 1_000_000, 256
PARTS = 10
"""Demos, and checkpoints at least, of a training."""
LONGEST_PROMPT = 300
FOLDER, MIX, SET = "folder", "mix", "music"
OWN = "{caption}"
BYTES = 4
"""Of a number in a file of weights."""


@dataclass(frozen=True, slots=True)
class TuneOrder:
    """What a musician chooses of a tuning."""

    name: str
    music: str
    """One of the folders of music."""
    steps: int = STEPS
    method: str = ALL
    """`all` weights, or a low-rank `adapter` beside them."""
    rank: int = RANK
    """Of an adapter."""
    prompt: str = ""
    """What all of the music is called; `{caption}` in it is each piece's own; blank: that alone."""


class TuneRecipe:
    """A recipe that tunes a trained system to a folder of music."""

    def __init__(self, name: str) -> None:
        """Name it; it is read when it is first needed."""
        path = Path(name).expanduser()
        self.name = str(path.resolve()) if path.is_file() else name

    @cached_property
    def recipe(self) -> Recipe:
        """Return it; RecipeError where it is none, or is of other data than a folder of music."""
        found = load_recipe(self.name, registry=installed_registry())
        if found.data.component.name != FOLDER:
            told = f"a recipe to tune with learns from `{FOLDER}`, as `{TUNE}` does"
            raise RecipeError(*found.error_at(("data",), told).problems)
        return found

    def check(self) -> None:
        """Raise RecipeError where nothing can be tuned with it."""
        self.recipe  # noqa: B018 (it is read, and so checked)

    @property
    def top(self) -> str:
        """Return the stage that is tuned."""
        return [*self.recipe.stages][-1]

    @cached_property
    def needs(self) -> CropNeeds:
        """Return what it cuts music into."""
        train, audio = self.recipe.stages[self.top].train, self.recipe.audio
        return CropNeeds(
            sample_rate=audio.sample_rate,
            channels=audio.channels,
            length=train.length,
            batch=train.batch,
            validation=float(self.recipe.data.values().get("validation", 0.1)),
        )

    def words(self, order: TuneOrder, music: Path) -> list[str]:
        """Return the words of `mousai-kit run` for a tuning.

        RequestError for a value out of range; RecipeError for one that the recipe does not take.
        """
        _check_order(order)
        changes = [*self._data(order, music), *self._stage(order)]
        changes.append(f"demo.every={-(-order.steps // PARTS)}")
        load_recipe(self.name, changes, registry=installed_registry())
        return [self.name, *(word for change in changes for word in ("--set", change))]

    @cached_property
    def megabytes(self) -> dict[str, float]:
        """Return the size of all weights of the tuned stage, and of an adapter of rank 1.

        The latter is missing where the recipe can have none.
        """
        found: dict[str, float] = {}
        with suppress(MousaiError):
            stage = Cascade.build(self.recipe, device="meta").stages[self.top]
            found[ALL] = BYTES * sum(tensor.numel() for tensor in stage.parameters()) / 1e6
            change = f"stages.{self.top}.lora={{rank: 1}}"
            adapted = load_recipe(self.name, [change], registry=installed_registry())
            layers = target_layers(adapted, self.top, stage)
            shapes = [_weight(stage.get_submodule(name)).shape for name in layers]
            found[ADAPTER] = BYTES * sum(shape[0] + prod(shape[1:]) for shape in shapes) / 1e6
        return found

    def explain(self, method: str, rank: int) -> str:
        """Return what a method means, in a line."""
        size, time = self.megabytes, ""
        if self.name == TUNE:
            time = ", 1000 steps in about 20 minutes on two cores"
        if method == ADAPTER:
            beside = (
                f"{size.get(ADAPTER, 0.0) * rank:.2g} MB beside the weights that stay as they are"
            )
            return f"{beside}{time}: a slider under Shape turns it up, down or off"
        return f"a system of its own of {size.get(ALL, 0.0):.3g} MB{time}: learns the most"

    def _data(self, order: TuneOrder, music: Path) -> list[str]:
        """Return the changes that say what is learned from, and what it is called."""
        prompt = " ".join(order.prompt.split())
        if not prompt:
            return [f"data.path={_value(str(music))}"]
        values = {**self.recipe.data.values(), "path": str(music)}
        data = {"use": FOLDER, **{key: value for key, value in values.items() if key != "use"}}
        mix = {"use": MIX, "sets": {SET: {"data": data, "caption": prompt}}}
        changes = [f"data={_value(mix)}"]
        heard = " ".join(prompt.replace(OWN, "").split()).strip(" ,")
        return [*changes, f"demo.prompts={_value([heard])}"] if heard else changes

    def _stage(self, order: TuneOrder) -> list[str]:
        place = f"stages.{self.top}"
        every = self.recipe.stages[self.top].train.checkpoint_every
        changes = [
            f"{place}.train.steps={order.steps}",
            f"{place}.train.checkpoint_every={min(every, -(-order.steps // PARTS))}",
        ]
        if order.method == ADAPTER:
            changes.append(f"{place}.lora={_value({'rank': order.rank})}")
        return changes


def _check_order(order: TuneOrder) -> None:
    """Raise RequestError where a value is out of its range."""
    for name, value, most in (("steps", order.steps, MOST_STEPS), ("rank", order.rank, MOST_RANK)):
        if not 1 <= value <= most:
            raise argument_error(name, f"must be 1 to {most} (got {value})")
    if order.method not in METHODS:
        raise argument_error("method", f"must be one of {', '.join(METHODS)}", order.method[:20])
    if len(order.prompt) > LONGEST_PROMPT:
        raise argument_error("prompt", f"must be of {LONGEST_PROMPT} characters at most")


def _value(value: Any) -> str:
    """Return a value as `--set` reads it: JSON, which is YAML, too."""
    return json.dumps(value, ensure_ascii=False)


def _weight(layer: Any) -> Tensor:
    found: Tensor = layer.weight
    return found
