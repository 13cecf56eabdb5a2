"""Given: the weights that a stage starts from, wherever they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mousai_kit import checkpoints
from mousai_kit.errors import MousaiError, Problem, WeightsError, did_you_mean, listed
from mousai_kit.exchange.reading import outlines, state_dict
from mousai_kit.exchange.source import Source
from mousai_kit.recipe import Recipe
from mousai_kit.runs import RunFolder


@dataclass(frozen=True, slots=True)
class Given:
    """A file of weights in safetensors, known by what is in it."""

    path: Path
    origin: str
    """What the user calls it, with the file's name inside."""
    digest: str
    """Stands for the tensors' names and contents."""
    header: Mapping[str, Any]
    """What a file of ours says of itself; of another's nothing."""

    @classmethod
    def find(cls, recipe: Recipe, stage: str) -> Given | None:
        """Return what a stage starts from, None where it starts fresh; fetched if on the hub.

        RecipeError, with the place in the recipe, where there are no such weights.
        """
        part = recipe.stages[stage]
        if part.weights is None:
            return None
        try:
            return cls.at(part.weights, stage, revision=part.revision)
        except MousaiError as error:
            raise recipe.fault(("stages", stage, "weights"), str(error)) from None

    @classmethod
    def at(cls, name: str, stage: str, *, revision: str | None = None) -> Given:
        """Return the weights of a stage in a run, a folder, a file or a model on the hub."""
        folder = Path(name).expanduser()
        if revision is not None and folder.exists():
            raise WeightsError("`revision` is for a model on the hub, and this is a file or folder")
        if RunFolder.is_one(folder):
            _check_has(folder, name, stage)
        preferred = (f"{stage}/{_WEIGHTS}", _WEIGHTS, f"{stage}.safetensors")
        source = Source.find(name, revision=revision, preferred=preferred)
        if source.path.suffix != ".safetensors":
            told = "is no safetensors file; `mousai-kit import` reads torch files"
            raise WeightsError(Problem(str(source), "", told))
        header = checkpoints.header(source.path) if checkpoints.is_ours(source.path) else {}
        digest = header.get("digest") or checkpoints.digest(state_dict(source.path, str(source)))
        return cls(source.path, str(source), digest, header)

    def load_into(self, stage: nn.Module, *, partial: bool = False) -> list[str]:
        """Load the weights; return the names of those taken.

        WeightsError names what does not fit; where `partial`, that is left out instead.
        """
        tensors, state = state_dict(self.path, self.origin), stage.state_dict()
        if partial:
            tensors = self._fitting(tensors, state)
        checkpoints.load_into(stage, {**(state if partial else {}), **tensors}, origin=self.origin)
        return list(tensors)

    def check_fit(self, stage: nn.Module, *, partial: bool = False) -> None:
        """Raise WeightsError where `load_into` would; names and shapes are read, no numbers."""
        tensors = outlines(self.path, self.origin)
        if partial:
            self._fitting(tensors, stage.state_dict())
        else:
            checkpoints.check_fit(stage.state_dict(), tensors, origin=self.origin)

    def _fitting(
        self, tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return those tensors that a state has too; WeightsError where there are none."""
        if not (found := {name: it for name, it in tensors.items() if _fits(name, it, state)}):
            raise WeightsError(Problem(self.origin, "", "has no tensor that fits"))
        return found


_WEIGHTS = "weights.safetensors"


def _check_has(folder: Path, name: str, stage: str) -> None:
    """Raise WeightsError where a run, or what was exported of one, lacks a stage."""
    trained = [it.parent.name for it in sorted(folder.glob(f"*/{_WEIGHTS}"))]
    known = [*trained, *(it.stem for it in sorted(folder.glob("*.safetensors")))]
    if stage not in known:
        hint = did_you_mean(stage, known) or (f"; it has {listed(known)}" if known else "")
        raise WeightsError(Problem(name, "", f"has no trained stage '{stage}'{hint}"))


def _fits(name: str, tensor: Tensor, state: Mapping[str, Tensor]) -> bool:
    if name not in state:
        return False
    return checkpoints.of_any_shape(name) or tensor.shape == state[name].shape
