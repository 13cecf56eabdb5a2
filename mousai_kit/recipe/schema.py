"""What a recipe says: every key with its range, its default (the paper's value) and its meaning."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
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
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mousai_kit.component import Field, Options, Use, plain
from mousai_kit.errors import Problem, RecipeError, dotted, shown
from mousai_kit.interfaces import Dataset, Metric, Stage
from mousai_kit.recipe import requires, tuning
from mousai_kit.recipe.showing import KEYS, Demo, Tracker
from mousai_kit.recipe.train import Train
from mousai_kit.recipe.values import Notice, Place, Written
from mousai_kit.recipe.yaml import dump


@dataclass(frozen=True, slots=True)
class _Worded:
    """Text of a form, which `rule` tells in words."""

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        form = {"pattern": f"^({self.pattern})$", "patternErrorMessage": self.rule}
        return {**handler(schema), **form}

    def _checked(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            told = {"text": f"{self.rule} (got {shown(text)})"}
            raise PydanticCustomError("said", "{text}", told)
        return text


def _defaults(description: str) -> Any:
    """Return a field that may be left out: each of its keys has a default."""
    return Field(default_factory=dict, description=description)


_FolderName = Annotated[
    str,
    _Worded(
        r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "must be letters, digits, '-', '_' and '.', as it names the run's folder",
    ),
]
_StageName = Annotated[
    str,
    _Worded(
        r"[a-z][a-z0-9]*([-_][a-z0-9]+)*",
        "a stage's name must be lower-case words, as in 'my-stage'",
    ),
]
_Device = Annotated[
    str,
    _Worded(r"auto|cpu|cuda(:[0-9]{1,3})?|mps", "must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'"),
]
_Package = Annotated[str, AfterValidator(requires.checked)]


def _no_truth(value: Any) -> Any:
    """Return a value that is not `true`, which Python takes for 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("said", "{text}", {"text": f"must be 1 (got {shown(value)})"})
    return value


_Version = Annotated[Literal[1], BeforeValidator(_no_truth)]


class Audio(Options):
    """The audio that a system learns and makes."""

    sample_rate: int = Field(48000, ge=8000, le=192000, description="samples per second")
    channels: int = Field(2, ge=1, le=8, description="1 is mono, 2 is stereo")


class StageRecipe(Options):
    """One rung of the cascade: what it is, and how it is trained."""

    model: Use[Stage] = Field(description="what it is made of")
    train: Train = _defaults("how it is trained")
    weights: tuning.Weights = None
    revision: tuning.Revision = None
    partial: tuning.Partial = False
    freeze: tuning.Freeze = Field([])
    lora: tuning.Lora | None = Field(None, description="adapters to learn; null learns the weights")

    @model_validator(mode="after")
    def _tuned(self) -> StageRecipe:
        tuning.check(self)
        return self


class Generate(Options):
    """What is made after training."""

    prompts: list[str] = Field([], description="texts to make music from")
    seconds: float = Field(10.0, gt=0, description="length of each clip")
    guidance: float = Field(
        5.0, ge=0, description="1 follows the prompt as learned, more insists on it"
    )
    count: int = Field(1, ge=1, description="clips per prompt")
    batch: int | None = Field(
        None, ge=1, description="clips made at a time; null: one on a CPU, eight elsewhere"
    )
    window: float = Field(
        10.0,
        gt=0,
        description="seconds that are made at a time: longer audio takes no more memory; windows "
        "overlap by an eighth",
    )
    format: Literal["flac", "wav", "ogg"] = Field("flac", description="file format of the clips")


class Evaluate(Options):
    """What is measured after training."""

    metrics: list[Use[Metric]] = Field(
        [], description="measures of how near clips are to real ones"
    )
    clips: int = Field(4, ge=1, description="held-out clips that are measured")
    seconds: float = Field(8.0, gt=0, description="length of each of them")


class Recipe(Options):
    """A whole system: audio, music to learn from, stages, and what to make."""

    version: _Version = Field(description="version of the recipe's form")
    name: _FolderName = Field(description="name of the run's folder")
    requires: list[_Package] = Field(
        [], description="packages that its components come from, such as mousai-kit-acme>=0.2"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of all that is random")
    device: _Device = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    audio: Audio = _defaults("the audio that it learns and makes")
    data: Use[Dataset] = Field(description="music to learn from")
    stages: dict[_StageName, StageRecipe] = Field(
        min_length=1, description="stages from the waveform upwards"
    )
    generate: Generate = _defaults("what is made after training")
    evaluate: Evaluate = _defaults("what is measured after training")
    demo: Demo = _defaults("what is heard during training")
    track: list[Tracker] = Field(
        [], description="where training is reported to; wandb sends it to a service on the net"
    )
    _written: Written | None = PrivateAttr(None)
    _notices: tuple[Notice, ...] = PrivateAttr(())

    def __eq__(self, other: object) -> bool:
        """Compare values: where they were written is no part of a recipe."""
        return isinstance(other, Recipe) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash(self.hash)

    def written_in(self, tree: Written, notices: Sequence[Notice] = ()) -> Recipe:
        """Remember where each value was written, and what is out of date in it; return self."""
        self._written, self._notices = tree, tuple(notices)
        return self

    @property
    def notices(self) -> list[str]:
        """A line for each word of an earlier version, in the order in which they were read."""
        return [str(it.problem) for it in sorted(self._notices, key=lambda it: it.origin)]

    def fault(self, place: Place, message: str) -> RecipeError:
        """Return an error about the value at a place, with its file and line where known."""
        origin = "" if self._written is None else str(self._written.origin_of(place))
        return RecipeError(Problem(origin, dotted(place), message))

    @property
    def hash(self) -> str:
        """12 hexadecimal digits that stand for all values but those of what is only shown."""
        return fingerprint({k: v for k, v in self.values().items() if k not in KEYS})

    @property
    def demo_prompts(self) -> list[str]:
        """Texts that demos are made from."""
        return self.generate.prompts[:2] if self.demo.prompts is None else self.demo.prompts

    @property
    def demo_seconds(self) -> float:
        """Length of a demo."""
        return self.demo.seconds or min(self.generate.seconds, 10.0)

    @property
    def folder(self) -> str:
        """Name of the run's folder."""
        return self.name

    @property
    def window(self) -> int:
        """Samples that are made at a time."""
        return max(1, round(self.generate.window * self.audio.sample_rate))

    def values(self) -> dict[str, Any]:
        """Return plain values, with every default filled in; what it requires is no value."""
        return {key: value for key, value in plain(self).items() if key != requires.KEY}

    def dump(self) -> str:
        """Return YAML that `load_recipe` reads as the same recipe."""
        return dump(plain(self) if self.requires else self.values())


def fingerprint(values: dict[str, Any]) -> str:
    """Return 12 hexadecimal digits that stand for plain values; only the stages' order counts."""
    ordered = {**values, "stages": list(values["stages"].items())}
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()[:12]
