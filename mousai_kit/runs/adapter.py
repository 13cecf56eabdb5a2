"""Adapter: what LoRA learned of a stage, in a file of its own, and how it is put on again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from mousai_kit.core.errors import (
    Argument,
    Problem,
    RequestError,
    WeightsError,
    argument_error,
    join_quoted,
    some,
)
from mousai_kit.core.interfaces import Stage
from mousai_kit.models.lora import Pairs, add_low_rank, eligible_layers
from mousai_kit.recipe import Lora
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.weight_source import load_state_dict_file

FILE = "adapter.safetensors"
PEFT = "adapter_model.safetensors"
"""What peft calls such a file; the rank and alpha are in a file beside it."""
BEFORE, A, B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
"""How peft names tensors: before a layer's name, and after it."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """Low-rank products for layers of one stage, to be added with a strength."""

    origin: str
    pairs: Pairs
    scale: float
    """alpha / rank."""
    digest: str
    stage: str = ""
    """The stage that it was learned for; empty where the file does not say."""
    base: str = ""
    """Stands for the weights that it was learned beside; empty where the file does not say."""

    @classmethod
    def read(cls, path: Path) -> Adapter:
        """Return an adapter, of ours or of peft's; WeightsError where the file is none."""
        origin = str(path)
        if path.suffix != ".safetensors":
            raise WeightsError.about(origin, "is no safetensors file")
        pairs = dict(_pairs(load_state_dict_file(path, origin), origin))
        header = checkpoint.read_header(path) if checkpoint.is_checkpoint(path) else {}
        told = header.get("lora") or _beside(path)
        rank = next(iter(pairs.values()))[0].shape[0]
        scale = float(told.get("alpha") or rank) / float(told.get("rank") or rank)
        digest = checkpoint.digest(_pairs_by_name(pairs))
        return cls(origin, pairs, scale, digest, header.get("stage", ""), told.get("base", ""))

    @staticmethod
    def write(path: Path, pairs: Pairs, lora: Lora, header: Mapping[str, Any], base: str) -> None:
        """Write a file of adapters under the names that peft has for them."""
        alpha = lora.rank if lora.alpha is None else lora.alpha
        told = {"rank": lora.rank, "alpha": alpha, "base": base}
        checkpoint.write_checkpoint(path, _pairs_by_name(pairs), {**header, "lora": told})

    def fault(self, stage: Stage) -> str:
        """Return why it can't be put on a stage, in a few words; empty where it can."""
        known = _layers(stage)
        if missing := [name for name in self.pairs if name not in known]:
            return f"has no layer {some(missing, 2, join_quoted)}"
        faulty = [
            name
            for name, (a, b) in self.pairs.items()
            if (b.shape[0], *a.shape[1:]) != tuple(cast("Tensor", known[name].weight).shape)
            or a.shape[0] != b.shape[1]
        ]
        return f"has another shape for {some(faulty, 2, join_quoted)}" if faulty else ""

    def matching_stage(self, stages: Mapping[str, Stage]) -> str:
        """Return the stage that it fits; WeightsError where none does."""
        named = [self.stage] if self.stage in stages else list(stages)
        faults = {name: self.fault(stages[name]) for name in named}
        if fitting := next((name for name, fault in faults.items() if not fault), None):
            return fitting
        known = {name: _layers(stages[name]).keys() for name in named}
        nearest = max(named, key=lambda name: len(self.pairs.keys() & known[name]))
        told = f"is an adapter for another model: {nearest} {faults[nearest]}"
        raise WeightsError.about(self.origin, told)

    @torch.no_grad()
    def add_to(self, stage: Stage, strength: float = 1.0) -> None:
        """Add it to a stage's weights; at strength 0 they stay the same bits."""
        if strength == 0:
            return
        layers = _layers(stage)
        for name, (a, b) in self.pairs.items():
            weight = cast("Tensor", layers[name].weight)
            scale = self.scale * strength  # on the CPU: the same bits wherever they are made
            weight.copy_(add_low_rank(weight.cpu(), a.float(), b.float(), scale))


@dataclass(frozen=True, slots=True)
class AppliedAdapter:
    """An adapter and how strong it is to be."""

    adapter: Adapter
    strength: float

    @property
    def tag(self) -> str:
        """What a clip's file says of it."""
        return f"{self.adapter.digest}*{self.strength:g}"

    def put_on(
        self, stages: Mapping[str, Stage], folder: RunFolder, say: Callable[[str], None]
    ) -> None:
        """Add it to the stage that it is for; say so where it was learned beside other weights."""
        adapter = self.adapter
        with _told_of(adapter.origin):
            name = adapter.matching_stage(stages)
        weights = folder.stage(name).weights
        if adapter.base not in ("", checkpoint.read_header(weights)["digest"]):
            say(
                f"{adapter.origin}: was learned beside other weights than {weights} has, "
                "and may do something else with these"
            )
        adapter.add_to(stages[name], self.strength)


def _layers(stage: Stage) -> dict[str, nn.Module]:
    """Return the layers that an adapter can go on, those of a stage that is enough to start from
    under the names that they have in it, too: what was learned for it fits what was made of it.
    """
    known, inner = eligible_layers(stage), f"{stage.starts_from}."
    return known | {name.removeprefix(inner): layer for name, layer in known.items()}


def load_adapters(wanted: Mapping[str, float], stages: Collection[str]) -> list[AppliedAdapter]:
    """Return adapters by where they lie: a file, or a folder of peft's or of a run."""
    for name, strength in wanted.items():
        if not math.isfinite(strength):
            raise argument_error("adapters", "its strength must be a finite number", name)
    found: list[AppliedAdapter] = []
    for name, strength in wanted.items():
        with _told_of(name):
            paths = _files(Path(name).expanduser(), name, stages)
            found += [AppliedAdapter(Adapter.read(path), strength) for path in paths]
    return found


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """Say in an error which of the adapters that were asked for it is about."""
    try:
        yield
    except (RequestError, WeightsError) as error:
        told = (
            problem.message if problem.origin == name else str(problem)
            for problem in error.problems
        )
        asked = Argument("adapters", name)
        raise type(error)(*(Problem(asked, "", message) for message in told)) from None


def _files(path: Path, name: str, stages: Collection[str]) -> list[Path]:
    """Return the files of adapters at a path; RequestError where there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RequestError.about(name, "is no file and no folder")
    places = [path / FILE, path / PEFT, *(path / stage / FILE for stage in stages)]
    if not (found := [place for place in places if place.is_file()]):
        raise RequestError.about(name, "holds no adapter; `run` makes one of a stage with `lora`")
    return found


def _pairs(
    tensors: Mapping[str, Tensor], origin: str
) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
    """Yield the tensors of each layer by its name; WeightsError where there are others."""
    names = [name.removesuffix(A) for name in tensors if name.endswith(A)]
    known = {f"{name}{end}" for name in names for end in (A, B)}
    if not names or tensors.keys() != known:
        odd = sorted(known ^ tensors.keys())
        told = f", but {some(odd, 2, join_quoted)}" if names else ""
        raise WeightsError.about(
            origin, f"is no adapter: its tensors are no pairs of {A[1:]} and {B[1:]}{told}"
        )
    for name in names:
        yield name.removeprefix(BEFORE), (tensors[name + A], tensors[name + B])


def _pairs_by_name(pairs: Pairs) -> dict[str, Tensor]:
    both = ((name, zip((A, B), pair, strict=True)) for name, pair in pairs.items())
    return {f"{BEFORE}{name}{end}": tensor for name, pair in both for end, tensor in pair}


def _beside(path: Path) -> dict[str, Any]:
    """Return what peft's file beside the tensors says; WeightsError where it can't be read."""
    config = path.with_name("adapter_config.json")
    if not config.is_file():
        return {}
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
        return {"rank": int(found["r"]), "alpha": float(found["lora_alpha"])}
    except (ValueError, TypeError, KeyError):
        raise WeightsError.about(config, "says no rank (`r`) and `lora_alpha` in JSON") from None
