"""Settings: all that a clip of the gallery is made from."""

from __future__ import annotations

import secrets
from typing import Any, Literal

from mousai_kit.core.component import Field, Options
from mousai_kit.generation.source_file import FILES
from mousai_kit.studio.arguments import validate_values

CLIP, UPLOAD = "clip:", "upload:"
"""How references to clips and to uploads begin."""
LONGEST_PROMPT = 2000
"""Characters of a prompt."""
SEEDS_BELOW = 2**53
"""Seeds are smaller."""
DRAWN_BELOW = 2**31
"""Seeds that are drawn are smaller: a browser's numbers hold them exactly."""


class ClipSettings(Options):
    """What a clip is made from: a system, a prompt, a seed, and what is asked beside."""

    system: str = Field(description="one of the studio's systems, by its name")
    prompt: str = Field("", max_length=LONGEST_PROMPT, description="text to make music from")
    seconds: float | None = Field(None, gt=0, description="length; null: the recipe's")
    seed: int = Field(ge=0, lt=SEEDS_BELOW, description="seed of the noise")
    steps: int | None = Field(None, ge=1, le=1000, description="steps of every sampler")
    guidance: float | None = Field(None, ge=0, le=1000, description="null: the recipe's")
    format: Literal["flac", "wav", "ogg"] = Field("flac", description="of the audio file")
    overrides: list[str] = Field([], max_length=100, description="values of parts, `path=value`")
    adapters: dict[str, float] = Field({}, description="adapters by name, each with a strength")
    controls: dict[str, Any] = Field({}, description="what else is asked; files are references")

    @property
    def files(self) -> list[str]:
        """Return the references to files that the controls make."""
        found = [self.controls.get(name) for name in FILES]
        conditions = self.controls.get("conditions") or {}
        found += [value for value in conditions.values() if is_reference(value)]
        return [value for value in found if value]


def is_reference(value: object) -> bool:
    """Tell whether a value of a control stands for a file of the gallery."""
    return isinstance(value, str) and value.startswith((CLIP, UPLOAD))


def clip_settings(**values: Any) -> ClipSettings:
    """Return settings; a seed that is None is drawn. RequestError, a line for each wrong value."""
    if values.get("seed") is None:
        values["seed"] = secrets.randbelow(DRAWN_BELOW)
    return validate_values(ClipSettings, values)
