"""Tuned: a stage while it learns what its recipe leaves to learn, and as it is afterwards.

Given: the weights that a stage starts from, wherever they lie.

State: of a stage that starts from given weights, a checkpoint holds what is not among them.

Starting: what is found and told of given weights before a stage of a run trains.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mousai_kit.core.component import iter_slots
from mousai_kit.core.errors import (
    MousaiError,
    Problem,
    RecipeError,
    WeightsError,
    did_you_mean,
    join_quoted,
    some,
)
from mousai_kit.core.interfaces import Stage
from mousai_kit.core.packaged import WEIGHTS
from mousai_kit.data.combined import CombinedDataset
from mousai_kit.models import lora
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe, diff_paths, stage_fingerprint_values
from mousai_kit.recipe.fingerprint import key_today
from mousai_kit.recipe.patterns import match_names
from mousai_kit.runs import checkpoint
from mousai_kit.runs.adapter import A, Adapter
from mousai_kit.runs.run_folder import RunFolder, StageDirectory, packaged_under
from mousai_kit.runs.weight_source import WeightSource, load_state_dict_file, tensor_shapes


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """A file of weights in safetensors, known by what is in it."""

    path: Path
    origin: str
    """What the user calls it, with the file's name inside."""
    digest: str
    """Stands for the tensors' names and contents."""
    header: Mapping[str, Any]
    """What a file of ours says of itself; of another's nothing."""

    @classmethod
    def find(cls, recipe: Recipe, stage: str) -> InitialWeights | None:
        """Return what a stage starts from, None where it starts fresh; fetched if on the hub.

        RecipeError, with the place in the recipe, where there are no such weights.
        """
        part = recipe.stages[stage]
        if part.weights is None:
            return None
        try:
            return cls.at(part.weights, stage, revision=part.revision)
        except MousaiError as error:
            raise recipe.error_at(("stages", stage, "weights"), str(error)) from None

    @classmethod
    def at(cls, name: str, stage: str, *, revision: str | None = None) -> InitialWeights:
        """Return a stage's weights: of a run, a folder, a file, a package's system or the hub."""
        packaged = packaged_under(name)
        folder = packaged.folder if packaged else Path(name).expanduser()
        if revision is not None and folder.exists():
            raise WeightsError("`revision` is for a model on the hub, and this is a file or folder")
        if RunFolder.is_run(folder):
            _check_has(folder, name, stage)
        preferred = (f"{stage}/{WEIGHTS}", WEIGHTS, f"{stage}.safetensors")
        source = WeightSource.find(name, revision=revision, preferred=preferred)
        if source.path.suffix != ".safetensors":
            told = "is no safetensors file; `mousai-kit import` reads torch files"
            raise WeightsError.about(str(source), told)
        path, origin = source.path, str(source)
        if any(key.endswith(A) for key in tensor_shapes(path, origin)):
            told = "is an adapter, not a stage's weights; name those that it was learned beside"
            raise WeightsError.about(origin, f"{told}, and it with `--adapter`")
        header = checkpoint.read_header(path) if checkpoint.is_checkpoint(path) else {}
        digest = header.get("digest") or checkpoint.digest(load_state_dict_file(path, origin))
        return cls(path, origin, digest, header)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name, of the types that the file has."""
        return load_state_dict_file(self.path, self.origin)

    def other_model(self, recipe: Recipe, stage: str) -> list[str]:
        """Return in what the model that the weights are of differs from a recipe's stage.

        Equal names and shapes may be another one's. Nothing where the file says nothing.
        """
        said = key_today(dict(self.header)) if "recipe" in self.header else {}
        found = said.get("stages", {}).get(self.header.get("stage"))
        if found is None:
            return []
        expected = stage_fingerprint_values(recipe, stage)
        audio = diff_paths(said["audio"], expected["audio"], "audio")
        model, ours = found["model"], expected["stages"][stage]["model"]
        if model["use"] != ours["use"]:  # of what has such a stage inside, that is taken
            inside = (value for value in model.values() if isinstance(value, Mapping))
            model = next((part for part in inside if part.get("use") == ours["use"]), model)
        return audio + diff_paths(model, ours, f"stages.{stage}.model")

    def load_into(self, stage: Stage, *, partial: bool = False) -> list[str]:
        """Load the weights; return the names of those taken.

        WeightsError names what does not fit; where `partial`, that is left out instead.
        """
        tensors, state = _name_for(stage, self.tensors()), stage.state_dict()
        if partial:
            tensors = self._fitting(tensors, state)
        fresh = state if partial else _starts_fresh(stage, tensors)
        checkpoint.load_into(stage, {**fresh, **tensors}, origin=self.origin)
        return list(tensors)

    def check_fit(self, stage: Stage, *, partial: bool = False) -> None:
        """Raise WeightsError where `load_into` would; names and shapes are read, no numbers."""
        tensors, state = _name_for(stage, tensor_shapes(self.path, self.origin)), stage.state_dict()
        if partial:
            self._fitting(tensors, state)
        else:
            fitting = {**_starts_fresh(stage, tensors), **tensors}
            checkpoint.check_tensors_fit(state, fitting, origin=self.origin)

    def _fitting(
        self, tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return those tensors that a state has too; WeightsError where there are none."""
        found = {name: tensor for name, tensor in tensors.items() if _fits(name, tensor, state)}
        if not found:
            raise WeightsError.about(self.origin, "has no tensor that fits")
        return found


def _name_for(stage: Stage, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return given weights under the names that a stage has for them.

    Those of a stage alone go to the one inside that is enough to start from, as do those of such a
    one inside another; and of what has such a stage inside, the stage alone takes that.
    """
    known, inner = stage.state_dict().keys(), stage.starts_from
    if inner is not None and not tensors.keys() <= known:
        own = {name: tensors[name] for name in tensors if name.startswith(f"{inner}.")}
        named = own or {f"{inner}.{name}": tensor for name, tensor in tensors.items()}
        return named if named.keys() & known else tensors
    if inner is None and known and not known & tensors.keys():
        for prefix in sorted({name.partition(".")[0] for name in tensors}):
            named = {
                name.removeprefix(f"{prefix}."): tensor
                for name, tensor in tensors.items()
                if name.startswith(f"{prefix}.")
            }
            if named.keys() == known:
                return named
    return tensors


def _starts_fresh(stage: Stage, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return that part of a stage's state which starts fresh beside the weights of one inside."""
    inner = f"{stage.starts_from}."
    if stage.starts_from is None or not all(name.startswith(inner) for name in tensors):
        return {}
    state = stage.state_dict()
    return {name: tensor for name, tensor in state.items() if not name.startswith(inner)}


def _check_has(folder: Path, name: str, stage: str) -> None:
    """Raise WeightsError where a run, or what was exported of one, lacks a stage."""
    trained = [path.parent.name for path in sorted(folder.glob(f"*/{WEIGHTS}"))]
    known = [*trained, *(path.stem for path in sorted(folder.glob("*.safetensors")))]
    if stage not in known:
        hint = did_you_mean(stage, known) or (f"; it has {join_quoted(known)}" if known else "")
        raise WeightsError.about(name, f"has no trained stage '{stage}'{hint}")


def _fits(name: str, tensor: Tensor, state: Mapping[str, Tensor]) -> bool:
    if name not in state:
        return False
    return checkpoint.is_extra_state(name) or tensor.shape == state[name].shape


class FrozenStateFilter:
    """Parameters that are in no state dict of a module, nor asked for by one, until `end`.

    They are what the given weights have, and never change: whoever goes on from a state has them.
    """

    def __init__(self, module: nn.Module, names: Collection[str]) -> None:
        def drop(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
            for name in names:
                state.pop(prefix + name, None)

        def not_missed(module: nn.Module, incompatible: Any) -> None:
            missing = incompatible.missing_keys
            missing[:] = [name for name in missing if name not in names]

        self._handles: list[RemovableHandle] = [
            module.register_state_dict_post_hook(drop),
            module.register_load_state_dict_post_hook(not_missed),
        ]

    def end(self) -> None:
        """Let the state dict be whole again."""
        for handle in self._handles:
            handle.remove()


class FineTuning:
    """A stage of a recipe, from the weights that it starts from to those that it ends with.

    Between `begin` and `end` its parameters that require a gradient are those that learn, and its
    state dict lacks those that are as given. RecipeError where there are none of a name.
    """

    def __init__(
        self, recipe: Recipe, name: str, stage: Stage, given: InitialWeights | None = None
    ) -> None:
        self.recipe, self.name, self.stage, self.given = recipe, name, stage, given
        self.part = recipe.stages[name]
        self._known = _parameter_names(stage, learned=True)
        self._frozen = self._frozen_names()
        self._adapted = [] if self.part.lora is None else lora.target_layers(recipe, name, stage)
        self._left_out: FrozenStateFilter | None = None

    @property
    def learns(self) -> bool:
        """Whether anything is left to learn; else the weights are taken as they are: those given,
        or its own, of a stage that learns nothing.
        """
        return len(self._frozen) < len(self._known)

    @property
    def needs_preparing(self) -> bool:
        """Whether statistics are to be measured: complete weights come with their own."""
        return self.given is None or self.part.partial

    @property
    def saves_trainable_only(self) -> bool:
        """Whether training keeps only a part of the weights: the rest is as given."""
        return self._left_out is not None

    def adopt(self, files: StageDirectory, header: Mapping[str, Any]) -> None:
        """Make the given weights the stage's own, as they are: in half precision, if they are.

        Where none are given, the stage's are kept: it learns nothing.
        """
        self._load()
        tensors: Mapping[str, Tensor] = self.stage.state_dict()
        if self.given is not None:
            tensors = _name_for(self.stage, self.given.tensors())
        checkpoint.write_checkpoint(files.weights, tensors, header)

    def begin(self) -> None:
        """Take the given weights, and leave only that to learn which is to be learned."""
        taken = self._load()
        if self.part.lora is not None:
            lora.attach(self.stage, self._adapted, self.part.lora, seed=self.recipe.seed)
            taken = _parameter_names(self.stage, learned=False)
        for name in self._frozen:
            self.stage.get_parameter(name).requires_grad_(False)
        if as_given := set(taken).intersection(_parameter_names(self.stage, learned=False)):
            self._left_out = FrozenStateFilter(self.stage, as_given)

    def end(self, files: StageDirectory) -> None:
        """Write the whole weights, and the adapter where there is one; load them into the stage."""
        assert self._left_out is not None
        learned, header = checkpoint.read_checkpoint(files.trainable_weights)
        checkpoint.load_into(self.stage, learned, origin=str(files.trainable_weights))
        self._left_out.end()
        about = {key: value for key, value in header.items() if key not in checkpoint.PLAIN}
        if self.part.lora is not None and self.given is not None:
            pairs = lora.detach(self.stage)
            Adapter.write(files.adapter, pairs, self.part.lora, about, self.given.digest)
            Adapter.read(files.adapter).add_to(self.stage)
        for name in self._known:
            self.stage.get_parameter(name).requires_grad_(True)
        checkpoint.write_checkpoint(files.weights, self.stage.state_dict(), about)
        files.trainable_weights.unlink()

    def _frozen_names(self) -> list[str]:
        """Return the parameters that the recipe freezes."""
        place, part = ("stages", self.name, "freeze"), self.part
        found = match_names(
            part.freeze, self._known, recipe=self.recipe, place=place, what="parameter"
        )
        if found == self._known and found and (part.weights is None or part.partial):
            told = (
                "leaves nothing to learn, which is for complete `weights` to be taken as they are"
            )
            raise self.recipe.error_at(place, told)
        return found

    def _load(self) -> list[str]:
        """Load the given weights, if any; return the names of those taken."""
        if self.given is None:
            return []
        try:
            return self.given.load_into(self.stage, partial=self.part.partial)
        except MousaiError as error:
            raise self.recipe.error_at(("stages", self.name, "weights"), str(error)) from None


def _parameter_names(stage: nn.Module, *, learned: bool) -> list[str]:
    return [name for name, weight in stage.named_parameters() if weight.requires_grad == learned]


FRESH, ON_TOP = "mousai-small", "mousai-tune"
"""Shipped recipes that train from scratch, and on top of given weights."""
Say = Callable[[str], None]


def check_finetuning(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where what a recipe freezes or adapts is not in its stages.

    Likewise where music of the user's own is named, and nothing is left that could learn from it.
    """
    faults: list[Problem] = []
    learning = False
    for name, stage in cascade.stages.items():
        try:
            learning |= FineTuning(recipe, name, stage).learns
        except RecipeError as error:
            faults += error.problems
    if faults:
        raise RecipeError(*faults)
    if not learning and own_music(recipe):
        told = (
            "nothing learns from it: every stage takes given weights as they are; take a recipe "
            f"that trains on top of them, as {ON_TOP} does, or from scratch, as {FRESH} does"
        )
        raise recipe.error_at(("data",), told)


def has_trainable(recipe: Recipe, cascade: Cascade) -> bool:
    """Return whether a run trains anything, or takes given weights for all of its stages."""
    return any(FineTuning(recipe, name, stage).learns for name, stage in cascade.stages.items())


def own_music(recipe: Recipe) -> bool:
    """Return whether the data are the user's: of a dataset that must be told where they are."""
    datasets = (slot.component for _, slot in iter_slots(recipe.data))
    return any(
        option.is_required()
        for component in datasets
        if not issubclass(component, CombinedDataset)
        for option in component.Options.model_fields.values()
    )


def find_initial_weights(
    recipe: Recipe, folder: RunFolder, trained: Callable[[str], bool], say: Say
) -> dict[str, InitialWeights | None]:
    """Return what each stage starts from, before any trains: all faults show at once.

    A stage that is `trained` as the recipe says stays, where what it started from is gone.
    """
    found: dict[str, InitialWeights | None] = {}
    faults: list[Problem] = []
    for name in recipe.stages:
        try:
            found[name] = _check_initial(recipe, folder, name)
        except RecipeError as error:
            if trained(name):
                say(f"{error}; {name} is trained already, and stays as it is")
                found[name] = None
            else:
                faults += error.problems
    if faults:
        raise RecipeError(*faults)
    return found


def check_weights_fit(
    recipe: Recipe, cascade: Cascade, begun: Mapping[str, InitialWeights | None]
) -> None:
    """Raise RecipeError where a stage can't take the weights that it is to start from."""
    faults: list[Problem] = []
    for name, given in begun.items():
        try:
            if given is not None:
                _check_model(given, recipe, name, cascade.stages[name])
        except WeightsError as error:
            faults += recipe.error_at(("stages", name, "weights"), str(error)).problems
    if faults:
        raise RecipeError(*faults)


def _check_model(given: InitialWeights, recipe: Recipe, name: str, stage: Stage) -> None:
    """Raise WeightsError where weights don't fit a stage.

    Those that are taken as they are must be of the same model also in what no shape tells.
    """
    taken = not FineTuning(recipe, name, stage).learns
    try:
        given.check_fit(stage, partial=recipe.stages[name].partial)
        if taken and (different := given.other_model(recipe, name)):
            told = f"is of another model: it differs in {some(different)}"
            raise WeightsError.about(given.origin, told)
    except WeightsError as error:
        instead = f"; such a model must be trained: change a recipe that does so, as {FRESH} does"
        raise WeightsError(f"{error}{instead}" if taken else str(error)) from None


def initial_weight_notes(
    name: str, given: InitialWeights | None, header: Mapping[str, Any], *, learns: bool = True
) -> Iterator[str]:
    """Yield what to say of the weights that a stage starts from, and of what is odd about them."""
    if given is None:
        return
    yield f"{name}: starting from {given.origin}" if learns else f"{name}: takes {given.origin}"
    if header["below"] and given.header.get("below", header["below"]) != header["below"]:
        yield (
            f"{name}: these weights learned the latents of another stage below than there is here; "
            "to take that as well, name its `weights` too, with `freeze: ['*']`"
        )


def _check_initial(recipe: Recipe, folder: RunFolder, name: str) -> InitialWeights | None:
    """Return what a stage starts from; RecipeError where it lies in what a training sets aside."""
    given = InitialWeights.find(recipe, name)
    own = folder.stage(name).path.resolve()
    if given is not None and given.path.resolve().is_relative_to(own):
        told = f"{given.origin} is in this run's own folder; name another for the run"
        raise recipe.error_at(("stages", name, "weights"), told)
    return given
