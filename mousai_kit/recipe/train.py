"""How a stage is trained: the keys of `train`, with ranges, defaults (the paper's) and meanings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from mousai_kit.component import Field, Options

_Beta = Annotated[float, Field(ge=0, lt=1)]


class Train(Options):
    """How one stage is trained."""

    steps: int = Field(1_000_000, ge=1, description="training steps, one batch each")
    minutes: float | None = Field(
        None, gt=0, description="stop after so many minutes of training even if steps are left"
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
    bad_loss: Literal["stop", "skip", "back-off"] = Field(
        "stop",
        description="where a loss is not finite or explodes: stop; or leave the batch out; or go "
        "back to the last checkpoint's weights, and on at half the learning rate",
    )
    explodes_at: float | None = Field(
        10.0,
        gt=1,
        description="a loss explodes that is so many times the largest, whatever its sign, of "
        "those up to 100 steps before; null: never",
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
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
    keep: int = Field(2, ge=1, description="last checkpoints that are kept")
    keep_best: bool = Field(
        True, description="keep the averaged weights that did best on held-out clips, too"
    )
    finish: Literal["last", "best"] = Field(
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
            raise PydanticCustomError("said", "{text}", {"text": told, "at": ("accumulate",)})
        return self
