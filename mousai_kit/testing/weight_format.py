"""WeightFormatContract: weights go out under another project's names and come back, every bit.

Legend: "ours" are names in a stage's state dict, "theirs" those of the other project.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from mousai_kit.core.component import Component, Use, resolve_slot
from mousai_kit.core.interfaces import KINDS, SignalSpace, Stage, TensorNames, WeightFormat
from mousai_kit.runs.weight_matching import NameMatch, to_theirs
from mousai_kit.runs.weight_source import load_state_dict_file
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.fakes import OneConvolution
from mousai_kit.testing.signals import chords, white

Model = Mapping[str, Any]


class WeightFormatContract(Contract):
    """What every weight format keeps to.

    Set `models`: stages that the other project has too, as a recipe says them, small ones. A
    format of any stage's tensors may name the suite's own, `{"use": "one-convolution"}`, and is
    excused from having a model that it can't express.
    """

    interface: ClassVar = WeightFormat
    models: ClassVar[Sequence[Model]] = ()
    """Stages that the other project has."""
    unfit: ClassVar[Sequence[Model]] = ({"use": "one-convolution"},)
    """Stages that it has not; every one is a stage of this suite's that nobody has."""
    neighbours: ClassVar[tuple[type[Component], ...]] = (OneConvolution,)
    input_space: ClassVar[SignalSpace] = SignalSpace(channels=2, stride=1, sample_rate=8000)
    """What the stages stand on."""

    def checked_model(self, model: Model) -> Use[Stage]:
        """Return a model, checked and not built."""
        return resolve_slot(KINDS["stage"], dict(model), {"registry": self.registry()})

    def cases(self, *, device: str = "cpu") -> Iterator[tuple[Stage, list[TensorNames]]]:
        """Yield each model's stage, and the ways in which its tensors are named."""
        assert self.models, "set `models` to stages that the other project has too"
        for model in self.models:
            use = self.checked_model(model)
            torch.manual_seed(1)
            with torch.device(device):
                stage = use.build(input_space=self.input_space)
            yield stage, list(self.build().layouts(use, stage))

    def _layouts(self) -> Iterator[tuple[Mapping[str, Tensor], TensorNames]]:
        """Yield each way of each model, after the state of the stage whose tensors it names."""
        for stage, layouts in self.cases():
            yield from ((stage.state_dict(), names) for names in layouts)

    def test_a_model_that_it_can_express_has_no_faults(self) -> None:
        assert self.models, "set `models` to stages that the other project has too"
        for model in self.models:
            assert list(self.build().faults(self.checked_model(model))) == []

    def test_a_model_that_it_can_not_express_has_faults(self) -> None:
        for model in self.unfit:
            use = self.checked_model(model)
            faults = list(self.build().faults(use))
            assert faults, f"nothing is said against {dict(model)}"
            for place, what in faults:
                assert _leads_somewhere(place, use.values()), f"{place} is no place in the model"
                assert what, f"{place} is wrong, but not in which way"
                assert "\n" not in what

    def test_each_model_has_a_layout(self) -> None:
        for _, layouts in self.cases():
            assert layouts
            assert all(isinstance(names, TensorNames) and names.pairs for names in layouts)

    def test_every_tensor_of_the_stage_has_a_name(self) -> None:
        for state, names in self._layouts():
            named = {pair.ours for pair in names.pairs} | names.defaults.keys()
            assert sorted(state.keys() - named) == [], "tensors without a name"
            assert sorted(named - state.keys()) == [], "no tensors of the stage's"

    def test_no_name_stands_for_two_tensors(self) -> None:
        for _, names in self._layouts():
            counts = Counter([*(pair.theirs for pair in names.pairs), *names.constants])
            assert [name for name, count in counts.items() if count > 1] == []

    def test_no_tensor_is_both_paired_and_a_default(self) -> None:
        for _, names in self._layouts():
            paired = {pair.ours for pair in names.pairs}
            assert sorted(paired & names.defaults.keys()) == []

    def test_a_default_has_its_tensors_shape_and_type(self) -> None:
        for state, names in self._layouts():
            for name, value in names.defaults.items():
                assert (name, value.shape) == (name, state[name].shape)
                assert (name, value.dtype) == (name, state[name].dtype)

    def test_only_linear_layers_are_pointwise(self) -> None:
        """A pointwise pair is a convolution there and a linear layer here: [out, in] weights."""
        for state, names in self._layouts():
            pointwise = [pair.ours for pair in names.pairs if pair.conv1x1]
            assert [name for name in pointwise if state[name].ndim != 2] == []

    def test_foreign_names_are_no_names_of_the_stages(self) -> None:
        for _, names in self._layouts():
            assert isinstance(names.foreign, tuple), "`foreign` is a tuple of beginnings"
            taken = [pair.theirs for pair in names.pairs if pair.theirs.startswith(names.foreign)]
            assert taken == [], "their names of our tensors begin like foreign ones"

    @pytest.mark.parametrize("prefix", ["", "module.model."])
    def test_weights_come_back_as_they_went_out(self, prefix: str, tmp_path: Path) -> None:
        """With shapes alone to go by, as `import` has, and a vocabulary that was learned."""
        for (stage, layouts), (outline, _) in zip(
            self.cases(), self.cases(device="meta"), strict=True
        ):
            stage.fit_statistics(iter([chords(1, self.input_space.channels, 256)]), ["low saw"])
            for number, names in enumerate(layouts):
                ours = _random(stage.state_dict()) | dict(names.defaults)
                file = tmp_path / f"{number}.pt"
                torch.save(
                    {prefix + key: tensor for key, tensor in to_theirs(names, ours).items()}, file
                )
                back = _import_tensors(layouts, file, outline)
                assert back.keys() == ours.keys()
                changed = [name for name in ours if not _equal(back[name], ours[name])]
                assert changed == [], f"layout {number} loses or swaps tensors"

    def test_no_numbers_are_needed_to_tell_names(self) -> None:
        """`import` asks with a stage on the meta device: only its shapes are real."""
        both = zip(self.cases(), self.cases(device="meta"), strict=True)
        for (_, layouts), (_, shapes) in both:
            assert [list(shape.pairs) for shape in shapes] == [
                list(layout.pairs) for layout in layouts
            ]
            for names, others in zip(layouts, shapes, strict=True):
                for kept in ("constants", "defaults"):
                    _check_same(getattr(names, kept), getattr(others, kept), kept)


def _leads_somewhere(place: Sequence[str | int], values: Any) -> bool:
    """Whether a path names a value among nested options."""
    for step in place:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(place)


def _random(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return other numbers for a state dict's: no two tensors are alike."""
    return {
        name: white(*tensor.shape, seed=number).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for number, (name, tensor) in enumerate(state.items())
    }


def _import_tensors(layouts: Sequence[TensorNames], file: Path, stage: Stage) -> dict[str, Tensor]:
    """Return a stage's tensors out of a file of theirs, as `mousai-kit import` finds them."""
    found = load_state_dict_file(file, str(file))
    match = NameMatch.best(layouts, found.keys())
    return match.to_ours(found, stage.state_dict(), origin=str(file))


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _check_same(real: Mapping[str, Tensor], meta: Mapping[str, Tensor], what: str) -> None:
    """Fail unless tensors are the same, and real, whatever device the stage was on."""
    assert real.keys() == meta.keys()
    for name in real:
        rule = (
            f"the {what} of {name} must hold numbers on the meta device too: make them on the CPU"
        )
        assert meta[name].device.type == "cpu", rule
        assert torch.equal(real[name], meta[name])
