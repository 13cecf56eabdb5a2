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

from mousai_kit import checkpoints
from mousai_kit.errors import Problem, RequestError, WeightsError, listed
from mousai_kit.exchange.reading import state_dict
from mousai_kit.interfaces import Stage
from mousai_kit.recipe import Lora
from mousai_kit.runs import RunFolder
from mousai_kit.tuning.lora import Pairs, layers, with_product

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
            raise WeightsError(Problem(origin, "", "is no safetensors file"))
        pairs = dict(_pairs(state_dict(path, origin), origin))
        header = checkpoints.header(path) if checkpoints.is_ours(path) else {}
        told = header.get("lora") or _beside(path)
        rank = next(iter(pairs.values()))[0].shape[0]
        scale = float(told.get("alpha") or rank) / float(told.get("rank") or rank)
        digest = checkpoints.digest(_named(pairs))
        return cls(origin, pairs, scale, digest, header.get("stage", ""), told.get("base", ""))

    @staticmethod
    def write(path: Path, pairs: Pairs, lora: Lora, header: Mapping[str, Any], base: str) -> None:
        """Write a file of adapters under the names that peft has for them."""
        alpha = lora.rank if lora.alpha is None else lora.alpha
        told = {"rank": lora.rank, "alpha": alpha, "base": base}
        checkpoints.write(path, _named(pairs), {**header, "lora": told})

    def fault(self, stage: nn.Module) -> str:
        """Return why it can't be put on a stage, in a few words; empty where it can."""
        known = layers(stage)
        if missing := [name for name in self.pairs if name not in known]:
            return f"has no layer {_some(missing)}"
        faulty = [
            name
            for name, (a, b) in self.pairs.items()
            if (b.shape[0], *a.shape[1:]) != tuple(cast("Tensor", known[name].weight).shape)
            or a.shape[0] != b.shape[1]
        ]
        return f"has another shape for {_some(faulty)}" if faulty else ""

    def on(self, stages: Mapping[str, Stage]) -> str:
        """Return the stage that it fits; WeightsError where none does."""
        named = [self.stage] if self.stage in stages else list(stages)
        faults = {name: self.fault(stages[name]) for name in named}
        if fitting := next((name for name, fault in faults.items() if not fault), None):
            return fitting
        nearest = max(named, key=lambda it: len(self.pairs.keys() & layers(stages[it]).keys()))
        told = f"is an adapter for another model: {nearest} {faults[nearest]}"
        raise WeightsError(Problem(self.origin, "", told))

    @torch.no_grad()
    def add_to(self, stage: nn.Module, strength: float = 1.0) -> None:
        """Add it to a stage's weights; at strength 0 they stay the same bits."""
        if strength == 0:
            return
        for name, (a, b) in self.pairs.items():
            weight = cast("Tensor", stage.get_submodule(name).weight)
            scale = self.scale * strength  # on the CPU: the same bits wherever they are made
            weight.copy_(with_product(weight.cpu(), a.float(), b.float(), scale))


@dataclass(frozen=True, slots=True)
class Worn:
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
            name = adapter.on(stages)
        weights = folder.stage(name).weights
        if adapter.base not in ("", checkpoints.header(weights)["digest"]):
            say(
                f"{adapter.origin}: was learned beside other weights than {weights} has, "
                "and may do something else with these"
            )
        adapter.add_to(stages[name], self.strength)


def worn(wanted: Mapping[str, float], stages: Collection[str]) -> list[Worn]:
    """Return adapters by where they lie: a file, or a folder of peft's or of a run."""
    for name, strength in wanted.items():
        if not math.isfinite(strength):
            raise RequestError(f"--adapter {name}: its strength must be a finite number")
    found: list[Worn] = []
    for name, strength in wanted.items():
        with _told_of(name):
            paths = _files(Path(name).expanduser(), name, stages)
            found += [Worn(Adapter.read(path), strength) for path in paths]
    return found


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """Say in an error which of the adapters that were asked for it is about."""
    try:
        yield
    except (RequestError, WeightsError) as error:
        said = (f"{it.origin}: " if it.origin != name else "" for it in error.problems)
        raise type(error)(
            *(
                Problem(f"--adapter {name}", "", f"{before}{it.message}")
                for before, it in zip(said, error.problems, strict=True)
            )
        ) from None


def _files(path: Path, name: str, stages: Collection[str]) -> list[Path]:
    """Return the files of adapters at a path; RequestError where there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RequestError(Problem(name, "", "is no file and no folder"))
    places = [path / FILE, path / PEFT, *(path / stage / FILE for stage in stages)]
    if not (found := [it for it in places if it.is_file()]):
        raise RequestError(
            Problem(name, "", "holds no adapter; `run` makes one of a stage with `lora`")
        )
    return found


def _pairs(
    tensors: Mapping[str, Tensor], origin: str
) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
    """Yield the tensors of each layer by its name; WeightsError where there are others."""
    names = [name.removesuffix(A) for name in tensors if name.endswith(A)]
    known = {f"{name}{end}" for name in names for end in (A, B)}
    if not names or tensors.keys() != known:
        odd = sorted(known ^ tensors.keys())
        told = f", but {_some(odd)}" if names else ""
        raise WeightsError(
            Problem(
                origin, "", f"is no adapter: its tensors are no pairs of {A[1:]} and {B[1:]}{told}"
            )
        )
    for name in names:
        yield name.removeprefix(BEFORE), (tensors[name + A], tensors[name + B])


def _named(pairs: Pairs) -> dict[str, Tensor]:
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
        raise WeightsError(
            Problem(str(config), "", "says no rank (`r`) and `lora_alpha` in JSON")
        ) from None


def _some(names: list[str]) -> str:
    """Return the first names, quoted, and how many more there are."""
    return listed(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
