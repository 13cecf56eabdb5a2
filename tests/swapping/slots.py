"""The slots of a recipe's stages, and what else could stand in each."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from tempfile import TemporaryDirectory
from typing import Any

import nano

from mousai_kit.core.component import Options, Use
from mousai_kit.core.hookspecs import GROUP
from mousai_kit.core.plugins import discover
from mousai_kit.recipe import Recipe, teacher_or_model

SMALL: dict[tuple[str, str], dict[str, Any]] = {
    ("text_encoder", "t5-scratch"): {},
    ("text_encoder", "t5"): {"model": "./t5", "features": 32, "tokens": 16},
    ("text_encoder", "transformer"): {"model": "./bert", "features": 16, "tokens": 16},
    ("spectral_encoder", "magnitude"): {
        "channels": 16,
        "multipliers": [1, 1],
        "factors": [2],
        "blocks": [1],
        "n_fft": 255,
        "hop_length": 128,
        "latent_channels": 4,
    },
    ("spectral_encoder", "mel"): {},
    ("spectral_encoder", "band-split"): {
        "low": 512,
        "high": 128,
        "hop": 256,
        "channels": 16,
        "latent_channels": 4,
    },
    ("spectral_encoder", "oobleck"): {
        "channels": 8,
        "multipliers": [1, 2],
        "factors": [16, 16],
        "latent_channels": 4,
    },
    ("unet", "unet1d"): {},
    ("unet", "dit1d"): {"features": 16, "depth": 1, "heads": 2},
    ("unet", "unet2d"): {
        "patch": [2, 2],
        "channels": [8, 16],
        "blocks": [1, 1],
        "attentions": [0, 1],
        "cross_attentions": [0, 1],
        "heads": 2,
        "modulation_features": 16,
    },
    ("unet", "stable-audio-dit"): {
        "depth": 1,
        "heads": 2,
        "head_features": 8,
        "shared_heads": 1,
        "told_features": 16,
    },
    ("schedule", "cosine"): {},
    ("schedule", "cosine-spaced"): {},
    ("schedule", "karras"): {},
    ("schedule", "shifted-cosine"): {"shift": 2.0},
    ("schedule", "uniform-log-snr"): {},
    ("sampler", "angle-2m"): {"steps": 4},
    ("sampler", "ddim"): {"steps": 4},
    ("sampler", "dpmpp-2m"): {"steps": 4},
    ("sampler", "dpmpp-2m-sde"): {"steps": 4},
    ("sampler", "few-step"): {"steps": 4},
    ("sampler", "heun"): {"steps": 5},
    ("domain", "mdct"): {},
    ("domain", "mel-picture"): {
        "bands": 16,
        "hop": 8.0,
        "window": 16.0,
        "highest": 4000.0,
        "iterations": 2,
    },
    ("domain", "waveform"): {},
    ("dataset", "clips"): {},
    ("dataset", "folder"): {"path": "music"},
    ("dataset", "huggingface"): {"path": "./data"},
    ("dataset", "mix"): {
        "sets": {
            "tones": {"data": {"use": "tones"}},
            "own": {"data": {"use": "folder", "path": "music"}},
        }
    },
    ("dataset", "webdataset"): {"shards": "shards"},
    ("dataset", "tones"): {"tracks": 4},
}
"""Small options of every component that takes a slot over."""


@dataclass(frozen=True)
class Swap:
    """A component in the place of another: `path` names the slot."""

    path: str
    kind: str
    name: str

    @property
    def stage(self) -> str:
        """The stage in which the slot is; empty for the data."""
        return self.path.split(".")[1] if "." in self.path else ""

    @property
    def override(self) -> str:
        """What `--set` says: a KeyError where the component was forgotten."""
        return f"{self.path}={json.dumps({'use': self.name, **SMALL[self.kind, self.name]})}"

    def __str__(self) -> str:
        return f"{self.path.replace('stages.', '').replace('.model', '')}={self.name}"


def first_party() -> dict[str, list[str]]:
    """Return the names of the components that come along, by kind."""
    ours = [it for it in entry_points(group=GROUP) if it.dist and it.dist.name == "mousai-kit"]
    found: dict[str, list[str]] = {}
    for component, _ in discover(ours)[0]:
        found.setdefault(component.kind, []).append(component.name)
    return found


def nano_choices() -> dict[str, tuple[str, str]]:
    """Return what stands in the slots of the recipe that trains in a second."""
    with TemporaryDirectory() as folder:
        return choices(nano.recipe(path=f"{folder}/nano.yaml"))


def choices(recipe: Recipe) -> dict[str, tuple[str, str]]:
    """Return (kind, name) of what stands in each slot of a recipe's stages, and its data."""
    found = {"data": ("dataset", recipe.data.component.name)}
    for stage, part in recipe.stages.items():
        for path, use in _slots(teacher_or_model(part.model).options, f"stages.{stage}.model"):
            found[path] = (use.component.kind, use.component.name)
    return found


def swaps(chosen: Mapping[str, tuple[str, str]]) -> list[Swap]:
    """Return every component in the place of the one in every slot."""
    known = first_party()
    return [
        Swap(path, kind, other)
        for path, (kind, name) in chosen.items()
        for other in known[kind]
        if other != name
    ]


def _slots(options: Options, path: str) -> Iterator[tuple[str, Use[Any]]]:
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, Use):
            yield f"{path}.{name}", value
            yield from _slots(value.options, f"{path}.{name}")
