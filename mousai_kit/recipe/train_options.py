"""How a stage is trained, afresh or from given weights: keys, ranges, defaults (the paper's)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import StringConstraints, model_validator

from mousai_kit.core.component import Field, Options, PathOrName
from mousai_kit.core.validation import option_error
from mousai_kit.recipe.nodes import KeyPath

INSIDE = "/"
"""Stands between a stage's name and that of a stage inside it, in the name of a training."""

Precision = Literal["fp32", "bf16", "fp16"]
"""In which floating-point type a network computes; its weights stay in fp32."""
_Beta = Annotated[float, Field(ge=0, lt=1)]


class Train(Options):
    """How one stage is trained."""

    former_names: ClassVar[Mapping[str, str]] = {
        "bad_loss": "on_bad_loss",
        "explodes_at": "loss_explosion_factor",
        "keep": "keep_checkpoints",
        "finish": "final_weights",
    }

    steps: int = Field(1_000_000, ge=1, description="training steps, one batch each")
    minutes: float | None = Field(
        None, gt=0, description="stop after so many minutes of training even if steps are left"
    )
    expected_minutes: float | None = Field(
        None,
        gt=0,
        description="warn where all steps will take more than 1.5 times so many minutes; none is "
        "left out",
    )
    batch: int = Field(32, ge=1, description="crops per step")
    length: int = Field(2**18, ge=1, description="samples of audio per crop")
    accumulate: int = Field(
        1,
        ge=1,
        description="parts that a batch is computed in, one after another: less memory, more time",
    )
    learning_rate: float = Field(1e-4, gt=0, description="learning rate of AdamW")
    betas: list[_Beta] = Field(
        [0.95, 0.999], min_length=2, max_length=2, description="AdamW's decay of its two moments"
    )
    epsilon: float = Field(1e-6, gt=0, description="AdamW's term against division by zero")
    weight_decay: float = Field(1e-3, ge=0, description="weight decay of AdamW")
    warmup: int = Field(0, ge=0, description="steps in which the learning rate rises from 0")
    decay: float = Field(
        1.0, ge=0, le=1, description="share of the learning rate left at the end; 1: constant"
    )
    decay_shape: Literal["cosine", "linear", "exponential"] = Field(
        "cosine", description="how the learning rate falls to that share"
    )
    decay_from: float = Field(
        0.0, ge=0, lt=1, description="share of the training after which it begins to fall"
    )
    ema: float = Field(0.995, ge=0, le=1, description="largest decay of the averaged weights")
    ema_power: float = Field(
        0.7, ge=0, le=1, description="how soon the averaged weights' decay nears its largest"
    )
    ema_every: int = Field(
        1, ge=1, description="steps from one move of the averaged weights to the next"
    )
    clip_norm: float | None = Field(
        1.0, gt=0, description="largest norm of the gradient; null leaves it as it is"
    )
    on_bad_loss: Literal["stop", "skip", "back-off"] = Field(
        "skip",
        description="where a loss is not finite or explodes: stop; or leave the batch out, ten in "
        "100 steps at most; or go back to the last checkpoint's weights, and on at half the "
        "learning rate, five times at most",
    )
    loss_explosion_factor: float | None = Field(
        10.0,
        gt=1,
        description="a loss explodes that is so many times the largest, whatever its sign, of "
        "those up to 100 steps before; null: never",
    )
    precision: Precision = Field(
        "fp32", description="bf16 trains with autocast; so does fp16, with a scaled loss"
    )
    recompute: bool = Field(
        False,
        description="gradient checkpointing: compute activations again in the backward pass "
        "instead of keeping them: less memory, more time",
    )
    compile: bool = Field(
        False,
        description="let torch's compiler make code of a network's blocks at the first step: "
        "a tenth quicker in bf16, hardly in fp32; needs a C++ compiler on a CPU",
    )
    workers: int = Field(2, ge=0, description="processes that read audio")
    patience: float = Field(
        1800.0, gt=0, description="seconds without a batch after which these are started again"
    )
    validate_every: int = Field(1000, ge=1, description="steps between validations")
    checkpoint_every: int = Field(1000, ge=1, description="steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="last checkpoints that are kept")
    keep_best: bool = Field(
        True, description="keep the averaged weights that did best on held-out clips, too"
    )
    final_weights: Literal["last", "best"] = Field(
        "last", description="which averaged weights a finished training leaves"
    )
    watch: bool = Field(
        True,
        description="look at every training and validation for what goes wrong, and warn of it",
    )
    passes: int = Field(
        16,
        ge=1,
        description="random crops of each track that are encoded once for a stage above the first",
    )

    @model_validator(mode="after")
    def _parts(self) -> Train:
        if self.accumulate > self.batch:
            told = f"a batch of {self.batch} has not so many parts (got {self.accumulate})"
            raise option_error(told, "accumulate")
        return self


def settings_place(name: str) -> KeyPath:
    """Return where a recipe says how a stage is trained: `autoencoder`, or `autoencoder/draft`."""
    return written_place(("stages", name, "train"))


def written_place(place: KeyPath) -> KeyPath:
    """Return where a recipe says what is said, while it trains, of a stage inside another."""
    match place:
        case ("stages", str(name), ("train" | "model") as key, *rest) if INSIDE in name:
            owner, _, inner = name.partition(INSIDE)
            return ("stages", owner, "first" if key == "train" else key, inner, *rest)
        case _:
            return place


Pattern = Annotated[str, StringConstraints(min_length=1)]
"""A shell pattern over dotted names: `unet.*`, `*.queries`, `text.network.[bw]*`."""
Weights = Annotated[
    PathOrName | None,
    Field(
        min_length=1,
        description="where to start from: a run folder (its stage of the same name), a trained "
        "system's name (`mousai-kit ls trained`), a folder or a file of safetensors, or a model on "
        "the Hugging Face hub; null starts fresh",
    ),
]
Revision = Annotated[
    str | None, Field(min_length=1, description="commit of a model on the hub, for `weights`")
]
Partial = Annotated[
    bool,
    Field(
        description="take of `weights` what fits by name and shape, and leave the rest as it began"
    ),
]
Freeze = Annotated[
    list[Pattern],
    Field(description="parameters that do not learn, as shell patterns over their names: unet.*"),
]


class Lora(Options):
    """Low-rank adapters: given weights stay, and alpha / rank * B A is added to them."""

    rank: int = Field(8, ge=1, le=1024, description="rank of what is added to a layer's weight")
    alpha: float | None = Field(
        None, gt=0, description="what is added counts alpha / rank; null: as much as the rank"
    )
    on: Annotated[list[Pattern], Field(min_length=1)] | None = Field(
        None,
        description="layers that get one, as shell patterns over their names: unet.*; null: the "
        "convolutions of U-Nets and the linear layers of attention in them",
    )

    @property
    def scale(self) -> float:
        """What B A is multiplied with."""
        return 1.0 if self.alpha is None else self.alpha / self.rank


def check_train_options(stage: Options) -> None:
    """Raise, with the key that is wrong, where these keys of a stage contradict each other."""
    said = vars(stage)
    if said["weights"] is None:
        for key in ("revision", "partial", "lora"):
            if said[key]:
                raise option_error("is for given weights; name them with `weights`", key)
    if said["lora"] is not None:
        for key in ("freeze", "partial"):
            if said[key]:
                raise option_error("does not go with `lora`, which learns its adapters alone", key)


def drop_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Return a stage's plain values without these keys where they say nothing.

    What `weights` are called decides nothing either: it is told by what they are (see
    `InitialWeights`).
    """
    plain = {**values, "weights": values["weights"] and "given", "revision": None}
    return {key: value for key, value in plain.items() if key not in _KEYS or value}


_KEYS = ("weights", "revision", "partial", "freeze", "lora")
