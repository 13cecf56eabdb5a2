"""Weight formats with a bug each: their docstrings say which."""

from dataclasses import replace
from itertools import count

import torch
import yaml
from planted_suites import suites
from small_archinet import RECIPE

import mousai_kit.api as mk
from mousai_kit.testing import WeightFormatContract
from mousai_kit_mousai.archinet.format import Archinet

AUTOENCODER = yaml.safe_load(RECIPE)["stages"]["autoencoder"]["model"]


class Described(Archinet):
    """Changes what archinet says of a stage."""

    def layouts(self, model, stage):
        return [self.changed(names, stage) for names in super().layouts(model, stage)]

    def changed(self, names, stage):
        return names


class Forgotten(Described):
    """It forgets the last tensor."""

    breaks = "test_every_tensor_of_the_stage_has_a_name"

    def changed(self, names, stage):
        last = names.pairs[-1].ours
        return replace(names, pairs=[pair for pair in names.pairs if pair.ours != last])


class Misspelt(Described):
    """It names a tensor that our stage does not have."""

    breaks = "test_every_tensor_of_the_stage_has_a_name"

    def changed(self, names, stage):
        return replace(names, pairs=[*names.pairs, mk.NamePair("unet.wieght", "net.wieght")])


class ListedTwice(Described):
    """One name of theirs stands for two tensors of ours."""

    breaks = "test_no_name_stands_for_two_tensors"

    def changed(self, names, stage):
        first, second = names.pairs[0], names.pairs[-1]
        return replace(names, pairs=[*names.pairs, mk.NamePair(first.ours, second.theirs)])


class ConstantNamed(Described):
    """A constant has a learned tensor's name."""

    breaks = "test_no_name_stands_for_two_tensors"

    def changed(self, names, stage):
        return replace(names, constants={names.pairs[0].theirs: torch.zeros(1)})


class DefaultToo(Described):
    """A tensor that both have is said to be one that they lack."""

    breaks = "test_no_tensor_is_both_paired_and_a_default"

    def changed(self, names, stage):
        ours = names.pairs[0].ours
        return replace(names, defaults={ours: torch.zeros(stage.state_dict()[ours].shape)})


class DefaultOfOne(Described):
    """A default is a single number in place of a tensor."""

    breaks = "test_a_default_has_its_tensors_shape_and_type"

    def changed(self, names, stage):
        ours = names.pairs[-1].ours
        pairs = [pair for pair in names.pairs if pair.ours != ours]
        return replace(names, pairs=pairs, defaults={ours: torch.zeros(())})


class PointwiseConvolution(Described):
    """It takes a convolution for a linear layer."""

    breaks = "test_only_linear_layers_are_pointwise"

    def changed(self, names, stage):
        state = stage.state_dict()
        pairs = [pair._replace(conv1x1=state[pair.ours].ndim == 3) for pair in names.pairs]
        return replace(names, pairs=pairs)


class ForeignText(Described):
    """Its foreign beginning is a text, not a tuple of texts."""

    breaks = "test_foreign_names_are_no_names_of_the_stages"

    def changed(self, names, stage):
        return replace(names, foreign="text.")


class ForeignOurs(Described):
    """It takes the encoder for another project's."""

    breaks = "test_foreign_names_are_no_names_of_the_stages"

    def changed(self, names, stage):
        return replace(names, foreign=("encoder.",))


class Ambiguous(Archinet):
    """Two layouts have the same names for other tensors: nobody can tell which is meant."""

    breaks = "test_weights_come_back_as_they_went_out"

    def layouts(self, model, stage):
        (names,) = super().layouts(model, stage)
        state = stage.state_dict()
        twins = {}
        for name, tensor in state.items():
            twins.setdefault(tensor.shape, []).append(name)
        first, second = next(it for it in twins.values() if len(it) > 1)[:2]
        swapped = {first: second, second: first}
        pairs = [pair._replace(ours=swapped.get(pair.ours, pair.ours)) for pair in names.pairs]
        return [names, replace(names, pairs=pairs)]


class FromTheStage(Described):
    """Its constants are a stage's own tensors, which may hold no numbers."""

    breaks = "test_no_numbers_are_needed_to_tell_names"

    def changed(self, names, stage):
        return replace(names, constants={"encoder.kept": next(iter(stage.state_dict().values()))})


class Numbered(Described):
    """It calls things by another number every time."""

    breaks = "test_no_numbers_are_needed_to_tell_names"
    numbers = count()

    def changed(self, names, stage):
        place = f"run{next(self.numbers)}."
        pairs = [pair._replace(theirs=place + pair.theirs) for pair in names.pairs]
        return replace(names, pairs=pairs)


class NoLayout(Archinet):
    """It has no names for a stage that it finds no fault with."""

    breaks = "test_each_model_has_a_layout"

    def layouts(self, model, stage):
        return []


class FindsFault(Archinet):
    """It finds fault with a stage that the project has."""

    breaks = "test_a_model_that_it_can_express_has_no_faults"

    def faults(self, model):
        yield ("unet", "skip"), "archinet has no such skip"


class Blind(Archinet):
    """It finds no fault with a stage that the project has not."""

    breaks = "test_a_model_that_it_can_not_express_has_faults"

    def faults(self, model):
        return ()


class Nowhere(Archinet):
    """It says what is wrong in a place that no recipe has."""

    breaks = "test_a_model_that_it_can_not_express_has_faults"

    def faults(self, model):
        return [(("stages", *place), what) for place, what in super().faults(model)]


globals().update(
    suites(
        WeightFormatContract,
        Archinet,
        models=[AUTOENCODER],
        unfit=[{"use": "one-convolution"}, AUTOENCODER | {"domain": "mdct"}],
    )
)
