"""How a stage goes on from given weights: the keys that say what is taken, kept and learned."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints
from pydantic_core import PydanticCustomError

from mousai_kit.component import Field, Options

Pattern = Annotated[str, StringConstraints(min_length=1)]
"""A shell pattern over dotted names: `unet.*`, `*.queries`, `text.network.[bw]*`."""
Weights = Annotated[
    str | None,
    Field(
        min_length=1,
        description="where to start from: a run folder (its stage of the same name), a folder or a "
        "file of safetensors, or a model on the Hugging Face hub; null starts fresh",
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


def check(stage: Options) -> None:
    """Raise, with the key that is wrong, where these keys of a stage contradict each other."""
    said = vars(stage)
    if said["weights"] is None:
        for key in ("revision", "partial", "lora"):
            if said[key]:
                raise _fault(key, "is for given weights; name them with `weights`")
    if said["lora"] is not None:
        for key in ("freeze", "partial"):
            if said[key]:
                raise _fault(key, "does not go with `lora`, which learns its adapters alone")


def decisive(values: dict[str, Any]) -> dict[str, Any]:
    """Return a stage's plain values without these keys where they say nothing.

    What `weights` are called decides nothing either: it is told by what they are (see `Given`).
    """
    plain = {**values, "weights": values["weights"] and "given", "revision": None}
    return {key: it for key, it in plain.items() if key not in _KEYS or it}


_KEYS = ("weights", "revision", "partial", "freeze", "lora")


def _fault(key: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("said", "{text}", {"text": message, "at": (key,)})
