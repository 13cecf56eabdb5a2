"""What a recipe says: every key with its range, its default (the paper's value) and its meaning."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from mousai_kit.core.component import Field, Options, Use, to_plain_dict
from mousai_kit.core.errors import Problem, RecipeError, format_path, format_value, suggest
from mousai_kit.core.interfaces import Dataset, Stage
from mousai_kit.core.validation import option_error
from mousai_kit.recipe import requirements, train_options
from mousai_kit.recipe.distil import DISTILLED, Distil, unwrap_model, wrap_model, written_beside
from mousai_kit.recipe.evaluate_options import Evaluate
from mousai_kit.recipe.generate_options import Generate
from mousai_kit.recipe.nodes import KeyPath, Node, Notice
from mousai_kit.recipe.option_types import optional_section
from mousai_kit.recipe.train_options import Precision, Train, written_place
from mousai_kit.recipe.yaml import dump

Tracker = Literal["tensorboard", "wandb"]
KEYS = ("demo", "track")
"""Keys of a recipe that only say what is shown of a training: they decide nothing that it makes."""


class Demo(Options):
    """What is heard during training: music from fixed prompts, or held-out clips brought back."""

    every: int | None = Field(
        None, ge=1, description="training steps between demos; null: none are made"
    )
    prompts: list[str] | None = Field(
        None, description="texts to make music from; null: the first two of `generate`"
    )
    clips: int = Field(
        1, ge=1, description="held-out clips that a stage which encodes audio brings back"
    )
    seconds: float | None = Field(
        None, gt=0, description="length of a demo; null: that of `generate`, 10 at most"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of a demo's noise, always the same")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Text of a form, which `rule` tells in words."""

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        form = {"pattern": f"^({self.pattern})$", "patternErrorMessage": self.rule}
        return {**handler(schema), **form}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise option_error(f"{self.rule} (got {format_value(text)})")
        return text


_FolderName = Annotated[
    str,
    _Pattern(
        r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "must be letters, digits, '-', '_' and '.', as it names the run's folder",
    ),
]
_StageName = Annotated[
    str,
    _Pattern(
        r"[a-z][a-z0-9]*([-_][a-z0-9]+)*",
        "a stage's name must be lower-case words, as in 'my-stage'",
    ),
]
_Device = Annotated[
    str,
    _Pattern(
        r"auto|cpu|cuda(:[0-9]{1,3})?|mps", "must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'"
    ),
]
_Package = Annotated[str, AfterValidator(requirements.check_requirement)]


def _no_truth(value: Any) -> Any:
    """Return a value that is not `true`, which Python takes for 1."""
    if isinstance(value, bool):
        raise option_error(f"must be 1 (got {format_value(value)})")
    return value


_Version = Annotated[Literal[1], BeforeValidator(_no_truth)]


class Audio(Options):
    """The audio that a system learns and makes."""

    sample_rate: int = Field(48000, ge=8000, le=192000, description="samples per second")
    channels: int = Field(2, ge=1, le=8, description="1 is mono, 2 is stereo")


class StageRecipe(Options):
    """One rung of the cascade: what it is, and how it is trained."""

    model: Use[Stage] = Field(description="what it is made of")
    train: Train = optional_section("how it is trained")
    first: dict[str, Train] = optional_section(
        "how stages inside it are trained before it, each alone, by the option that names it: "
        "`draft: {steps: ...}`; what is left out has the defaults of `train`"
    )
    weights: train_options.Weights = None
    revision: train_options.Revision = None
    partial: train_options.Partial = False
    freeze: train_options.Freeze = Field([])
    lora: train_options.Lora | None = Field(
        None, description="adapters to learn; null learns the weights"
    )
    distil: Distil | None = Field(
        None,
        description="let it learn to generate in a few steps what the model makes in many, and "
        "play that; null: it is played as it is",
    )

    @model_validator(mode="before")
    @classmethod
    def _wrap_distilled(cls, said: Any) -> Any:
        return wrap_model(dict(said)) if isinstance(said, Mapping) else said

    @model_validator(mode="after")
    def _check_tuning(self) -> StageRecipe:
        train_options.check_train_options(self)
        if self.model.component.name == DISTILLED:
            for key in ("recompute", "compile"):
                if getattr(self.train, key):
                    raise option_error("does not go with `distil`; leave it out", "train", key)
        for name in self.first:
            if name not in self.inner:
                raise option_error(self._no_inner(name), "first", name)
        return self

    @property
    def inner(self) -> dict[str, Use[Stage]]:
        """Return the stages that are options of this one, by option."""
        return {
            name: option
            for name, option in self.model.options
            if isinstance(option, Use) and option.component.kind == Stage.kind
        }

    def _no_inner(self, name: str) -> str:
        """Return why there is no stage of a name to be trained before this one."""
        what = self.model.component.name
        if not self.inner:
            return f"'{what}' has no stage inside here that could be trained first"
        return f"'{what}' has no stage '{name}' inside{suggest(name, self.inner)}"


class Recipe(Options):
    """A whole system: audio, music to learn from, stages, and what to make."""

    version: _Version = Field(description="version of the recipe's form")
    name: _FolderName = Field(description="name of the run's folder")
    requires: list[_Package] = Field(
        [], description="packages that its components come from, such as mousai-kit-acme>=0.2"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of all that is random")
    device: _Device = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    audio: Audio = optional_section("the audio that it learns and makes")
    data: Use[Dataset] = Field(description="music to learn from")
    stages: dict[_StageName, StageRecipe] = Field(
        min_length=1, description="stages from the waveform upwards"
    )
    generate: Generate = optional_section("what is made after training")
    evaluate: Evaluate = optional_section("what is measured after training")
    demo: Demo = optional_section("what is heard during training")
    track: list[Tracker] = Field(
        [], description="where training is reported to; wandb sends it to a service on the net"
    )
    _written: Node | None = PrivateAttr(None)
    _notices: tuple[Notice, ...] = PrivateAttr(())
    _whole: Recipe | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _check_stage_names(self) -> Recipe:
        for name in self.generate.precision:
            if name not in self.stages:
                told = f"there is no stage '{name}'{suggest(name, self.stages)}"
                raise option_error(told, "generate", "precision", name)
        return self

    def __eq__(self, other: object) -> bool:
        """Compare values: where they were written is no part of a recipe."""
        return isinstance(other, Recipe) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.hash)

    def with_source(self, tree: Node, notices: Sequence[Notice] = ()) -> Recipe:
        """Remember where each value was written, and what is out of date in it; return self."""
        self._written, self._notices = tree, tuple(notices)
        return self

    @property
    def notices(self) -> list[str]:
        """A line for each word of an earlier version, and each sampler that is not heard."""
        in_order = sorted(self._notices, key=lambda notice: notice.origin)
        return [str(notice.problem) for notice in in_order]

    def error_at(self, place: KeyPath, message: str) -> RecipeError:
        """Return an error about the value at a place, with its file and line where known."""
        place = written_beside(self._written, written_place(place))
        origin = "" if self._written is None else str(self._written.origin_of(place))
        return RecipeError(Problem(origin, format_path(place), message))

    def part(self, stages: dict[str, StageRecipe]) -> Recipe:
        """Return this recipe with other stages, which knows what it is a part of."""
        found = self.model_copy(update={"stages": stages})
        found._whole = self.whole
        return found

    @property
    def whole(self) -> Recipe:
        """The recipe that this is a part of, or itself."""
        return self if self._whole is None else self._whole

    @property
    def hash(self) -> str:
        """12 hexadecimal digits that stand for all values but those of what is only shown."""
        return fingerprint({k: v for k, v in self.to_dict().items() if k not in KEYS})

    @property
    def played_precision(self) -> dict[str, Precision]:
        """Return in what each stage computes when it plays."""
        learned = {name: stage.train.precision for name, stage in self.stages.items()}
        return learned | self.generate.precision

    @property
    def demo_prompts(self) -> list[str]:
        """Texts that demos are made from."""
        return self.generate.texts[:2] if self.demo.prompts is None else self.demo.prompts

    @property
    def demo_seconds(self) -> float:
        """Length of a demo."""
        return self.demo.seconds or min(self.generate.seconds, 10.0)

    @property
    def folder(self) -> str:
        """Name of the run's folder."""
        return self.name

    @property
    def window_samples(self) -> int:
        """Samples that are made at a time."""
        return max(1, round(self.generate.window * self.audio.sample_rate))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, with every default filled in; what it requires is no value."""
        return {key: value for key, value in self._plain().items() if key != requirements.KEY}

    def to_yaml(self) -> str:
        """Return YAML that `load_recipe` reads as the same recipe."""
        return dump(self._plain() if self.requires else self.to_dict())

    def _plain(self) -> dict[str, Any]:
        """Return plain values, without those that are empty: of what came later, hashes stay."""
        found = to_plain_dict(self)
        for name in ("controls", "precision"):
            if not found["generate"][name]:
                del found["generate"][name]
        for name, stage in found["stages"].items():
            del stage["distil"]
            found["stages"][name] = written = unwrap_model(stage)
            if not written["first"]:
                del written["first"]
        return found


def fingerprint(values: dict[str, Any]) -> str:
    """Return 12 hexadecimal digits that stand for plain values; only the stages' order counts."""
    ordered = {**values, "stages": list(values["stages"].items())}
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()[:12]
