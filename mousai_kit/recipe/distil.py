"""Distillation in a recipe: `distil` beside a stage's `model` stands for a stage around it.

The model becomes the teacher of a stage `distilled`, which is trained as `distil.train` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from mousai_kit.core.component import Field, Options, PathOrName, Use
from mousai_kit.core.errors import Problem, format_path
from mousai_kit.core.validation import option_error
from mousai_kit.recipe.nodes import KeyPath, Location, Node, Notice
from mousai_kit.recipe.train_options import Train

DISTILLED, TEACHER = "distilled", "teacher"
"""The stage that a distilled one is, and its option for the stage inside."""
Plain = dict[str, Any]


class DistillationOptions(Options):
    """How a stage learns to generate in a few steps."""

    steps: int = Field(4, ge=1, le=64, description="evaluations of the network to get by on")
    spacing: Literal["cosine", "even"] = Field(
        "cosine",
        description="levels between which it steps: nearer to each other at both ends, where most "
        "is decided, or even",
    )
    guidance: list[float] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="lowest and highest scale of guidance that is folded into one evaluation; "
        "null: none is, and guidance asks the network twice",
    )
    method: Literal["progressive", "consistency"] = Field(
        "progressive",
        description="what a step learns: where the teacher's steps end, or where one step of it "
        "and then its own average do",
    )
    substeps: int = Field(5, ge=1, le=100, description="steps of the teacher in one of its own")
    own_path: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of clips that begin where its own steps lead from noise, the others "
        "being noised music",
    )
    between: float = Field(
        0.25,
        ge=0,
        le=1,
        description="share of the noised clips whose level is any, not one of the steps': for "
        "`strength`",
    )
    rank: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="rank of what is added to a weight, as in LoRA: a small file; null: any",
    )

    @model_validator(mode="after")
    def _check_guidance(self) -> Self:
        if self.guidance is not None and not 0 <= self.guidance[0] <= self.guidance[1]:
            told = "must be two scales of 0 or more, the lower one first"
            raise option_error(f"{told} (got {self.guidance})", "guidance")
        return self


class Distil(DistillationOptions):
    """Distillation of a stage: the model beside it is the teacher."""

    teacher: PathOrName | None = Field(
        None,
        min_length=1,
        description="where the model's weights are, as `weights` says it; null: it is trained "
        "before, as `train` says",
    )
    played: Literal["distilled", "full"] = Field(
        "distilled", description="full generates with the model as it was, in its own steps"
    )
    train: Train | None = Field(
        None, description="how it is distilled; null: as `train` says of the model"
    )


def wrap_model(stage: Plain) -> Plain:
    """Return what a recipe says of a stage with its model as the teacher of a distilled one."""
    said = stage.get("distil")
    if not isinstance(said, Mapping) or "model" not in stage:
        return {key: value for key, value in stage.items() if key != "distil" or said is not None}
    rest = {key: value for key, value in stage.items() if key != "distil"}
    options = {key: value for key, value in said.items() if key not in ("teacher", "train")}
    rest["model"] = {"use": DISTILLED, TEACHER: stage["model"], **options}
    if said.get("teacher") is not None:
        rest["weights"] = said["teacher"]
    if said.get("train") is not None:
        if rest.get("weights") is None and "train" in stage:
            rest["first"] = {**stage.get("first", {}), TEACHER: stage["train"]}
        rest["train"] = said["train"]
    return rest


def unwrap_model(stage: Plain) -> Plain:
    """Return plain values of a stage with `distil` beside the model, where it is a distilled one.

    The opposite of `wrap_model`.
    """
    if stage["model"]["use"] != DISTILLED:
        return stage
    model, first = dict(stage["model"]), dict(stage.get("first", {}))
    distil = {key: value for key, value in model.items() if key not in ("use", TEACHER)}
    found = {**stage, "model": model[TEACHER], "distil": distil}
    if TEACHER in first:
        distil["train"], found["train"] = stage["train"], first.pop(TEACHER)
        found["first"] = first
    return found


def teacher_or_model(model: Use[Any]) -> Use[Any]:
    """Return the model that stands beside `distil` in a recipe, or the model as it is."""
    if model.component.name != DISTILLED:
        return model
    found: Use[Any] = vars(model.options)[TEACHER]
    return found


def unheard_samplers(tree: Node, models: Mapping[str, Use[Any]]) -> Iterator[Notice]:
    """Yield a notice for each sampler that was changed of a stage that plays in its few steps.

    Changed is what a recipe says that extends the one with `distil`, or `--set`.
    """
    for name, model in models.items():
        if model.component.name != DISTILLED or vars(model.options)["played"] == "full":
            continue
        stage = tree.value["stages"].value[name].value
        said, distil = stage["model"].value, stage.get("distil")
        sampler = said.get("sampler") if isinstance(said, Mapping) else None
        if sampler is None or distil is None:
            continue
        last = max(_origins(sampler), key=_precedence)
        if _precedence(last) > max(map(_precedence, _origins(distil))):
            told = f"is not heard: `distil` plays; add `stages.{name}.distil.played: full`"
            place = format_path(("stages", name, "model", "sampler"))
            yield Notice(last, Problem(str(last), place, told))


def _origins(node: Node) -> Iterator[Location]:
    """Yield where a value and all that is in it were written."""
    yield node.origin
    if isinstance(node.value, Mapping):
        for item in node.value.values():
            yield from _origins(item)


def _precedence(origin: Location) -> int:
    """Return a number that grows from the last base by the recipe to `--set`."""
    return -origin.rank if origin.has_lines else 1


def written_beside(tree: Node | None, place: KeyPath) -> KeyPath:
    """Return where a recipe says what is at a place of a stage whose model it distils."""
    match place:
        case ("stages", str(name), str(key), *rest) if tree is not None:
            try:
                said = tree.value["stages"].value[name].value["distil"].value
            except (KeyError, TypeError, AttributeError):
                return place
            if not isinstance(said, Mapping):
                return place
            match key, rest:
                case "model", ["teacher", *inner]:
                    return ("stages", name, "model", *inner)
                case "model", [option, *inner] if option != "use":
                    return ("stages", name, "distil", option, *inner)
                case "first", ["teacher", *inner]:
                    return ("stages", name, "train", *inner)
                case "train", inner if "train" in said:
                    return ("stages", name, "distil", "train", *inner)
                case "weights", [] if "teacher" in said:
                    return ("stages", name, "distil", "teacher")
    return place
