"""A new recipe: it extends a shipped one, and shows what a newcomer changes first."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import ValidationError

from mousai_kit.cli.scaffold.writing import write_file
from mousai_kit.core.component import Options, Use
from mousai_kit.core.errors import Problem, RequestError, format_path
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.validation import flatten_errors
from mousai_kit.recipe import Recipe, StageRecipe, load_recipe, shipped_recipes
from mousai_kit.recipe.json_schema import FILE, POINTER, check_schema, write_schema
from mousai_kit.recipe.shipped import get_shipped
from mousai_kit.recipe.yaml import dump

TRAIN = {"steps", "minutes", "batch", "length", "learning_rate"}
"""What is changed first of how a stage is trained."""
GENERATE = {"prompts", "seconds", "guidance"}
"""What is changed first of what is made."""
NOTES = {
    "seed": "another one: other weights, other music",
    "device": "auto: CUDA, else MPS, else the CPU",
    "data": "your own music: {use: folder, path: ~/Music}",
    "sampler": "no part of training: trained stages play with another at once",
    "train": "a change trains the stage, and all above, again; more steps go on",
    "seconds": "any length",
    "guidance": "1 follows the prompt as learned, more insists on it",
}
"""What a newcomer wants to know of a key."""
HEAD = """\
{pointer}
# {name}: what it changes of {base}.   mousai-kit run {name}.yaml
# What it does not say is as {base} has it. What is changed first stands below, with {base}'s
# values: take the `# ` off a line, and off those that it stands under, and change it.
"""


def new_recipe(name: str, base: str, into: Path) -> list[str]:
    """Write a recipe that extends a shipped one into a folder; return what to tell the user.

    The schema by which editors check it is written beside it, as `cp` does.

    RequestError or RecipeError, and nothing written, where a name is bad, the base is not shipped,
    or the file is there already or can't be written.
    """
    base = get_shipped(base).stem
    recipe = load_recipe(base, registry=installed_registry())
    _check(name, recipe)
    target = into / f"{name}.yaml"
    check_schema(target.with_name(FILE))
    write_file(render_recipe(name, base, recipe), target)
    write_schema(target.with_name(FILE))
    return [
        f"{target}: extends {base}, and says what you change",
        "",
        "Try next:",
        f"  mousai-kit validate {quote(str(target))}",
        f"  mousai-kit run {quote(str(target))}",
    ]


def render_recipe(name: str, base: str, recipe: Recipe) -> str:
    """Return the text of a recipe that extends another, whose first values follow as comments."""
    lines = dump(_first(recipe)).splitlines()
    head = HEAD.format(pointer=f"{POINTER}{FILE}", name=name, base=base)
    said = dump({"extends": base, "name": name})
    return "\n".join([head + said, *(f"# {_annotate(line)}" for line in lines), ""])


def _check(name: str, recipe: Recipe) -> None:
    """Raise RequestError where a recipe can't be called so."""
    if name in shipped_recipes():
        told = f"is a shipped recipe's name; choose another, or copy it: mousai-kit cp {name}"
        raise RequestError.about(name, told)
    try:
        Recipe.model_validate(
            {**recipe.to_dict(), "name": name}, context={"registry": installed_registry()}
        )
    except ValidationError as error:
        problems = flatten_errors(error, Recipe)
        raise RequestError(*(Problem("", format_path(at), what) for at, what in problems)) from None


def _first(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a recipe that a newcomer changes first."""
    return {
        "seed": recipe.seed,
        "device": recipe.device,
        "audio": recipe.audio.model_dump(),
        "data": {"use": recipe.data.component.name},
        "stages": {name: _of_stage(stage) for name, stage in recipe.stages.items()},
        "generate": recipe.generate.model_dump(include=GENERATE),
    }


def _of_stage(stage: StageRecipe) -> dict[str, Any]:
    samplers = {
        key: _of_sampler(slot)
        for key, slot in stage.model.options
        if isinstance(slot, Use) and slot.component.kind == "sampler"
    }
    model = {"model": samplers} if samplers else {}
    return {**model, "train": stage.train.model_dump(include=TRAIN)}


def _of_sampler(use: Use[Any]) -> dict[str, Any]:
    """Return a sampler's choice, and its steps where it has such an option."""
    options: Options = use.options
    return {"use": use.component.name, **options.model_dump(include={"steps"})}


def _annotate(line: str) -> str:
    """Return a line of YAML with what a newcomer wants to know of its key."""
    key = re.match(r" *(\w+):", line)
    note = NOTES.get(key[1], "") if key else ""
    return f"{line:39} # {note}" if note else line
