"""What a probe is asked, and what it answers: values that pass between processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """Which stage is to take steps, as which recipe has it, and how much memory it may hold."""

    recipe: str
    """The recipe as YAML."""
    stage: str
    train: dict[str, Any]
    """Settings of training that take the place of the recipe's."""
    limit: int | None


@dataclass(frozen=True, slots=True)
class Ground:
    """What is there before the first step."""

    bytes: int
    """What the process holds: the program and the weights."""
    state: int
    """What training will add to that, whatever the batch: gradients, two moments, the average."""
    missing: str
    """Why a pretrained text encoder is left out of it; empty where none is."""


@dataclass(frozen=True, slots=True)
class Order:
    """A step of so many clips is to be taken, again and again for about so many seconds."""

    batch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Point:
    """A step of `batch` clips: the most memory held, and its duration; None where unknown."""

    batch: int
    bytes: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no answer, in one line."""

    reason: str
    memory: bool = False
    longer_than: float | None = None
    """Seconds that a step takes longer than."""
