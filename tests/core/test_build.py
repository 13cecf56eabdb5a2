"""Building a component on its own: as a recipe would, and what is said where that fails."""

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.core.build import _KEYWORD_CHECKS
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.registry import Registry


class Euler(mk.Sampler):
    name = "euler"


class Window(mk.Component):
    kind, build_kwargs = "window", ("length", "hop")


class Square(Window):
    name = "square"

    def __init__(self, options, *, length, hop):
        self.length = length


def refusal(kind, what, **build_kwargs):
    with pytest.raises(mk.RequestError) as refused:
        mk.build(kind, what, **build_kwargs)
    return str(refused.value)


def test_parts_are_built_by_name_or_with_options_and_work_together():
    schedule = mk.build(mk.Schedule, "cosine")
    sampler = mk.build(mk.Sampler, {"use": "ddim", "steps": 20}, schedule=schedule)
    assert (sampler.name, sampler.steps) == ("ddim", 20)
    data = torch.linspace(-1, 1, 24).reshape(2, 3, 4)

    def velocity(x, sigma):
        alpha, beta = (it[:, None, None] for it in schedule.weights(sigma))
        return alpha * (x - alpha * data) / beta - beta * data

    made = sampler.sample(velocity, mk.NoiseSource([0, 1]).like(data))
    torch.testing.assert_close(made, data, rtol=0, atol=1e-4)


ALL = (
    "'mk.TextEncoder', 'mk.Conditioner', 'mk.SpectralEncoder', 'mk.UNet', 'mk.Schedule', "
    "'mk.Sampler', 'mk.Domain', "
    "'mk.Stage', 'mk.Dataset', 'mk.Embedding', 'mk.Metric' and 'mk.WeightFormat'"
)


@pytest.mark.parametrize(
    ("kind", "hint", "got"),
    [
        ("sampler", "write mk.build(mk.Sampler, ...)", "'sampler'"),
        ("text-encoder", "write mk.build(mk.TextEncoder, ...)", "'text-encoder'"),
        ("weight_format", "write mk.build(mk.WeightFormat, ...)", "'weight_format'"),
        (Euler, "write mk.build(mk.Sampler, ...)", f"<class '{__name__}.Euler'>"),
        ("x\n", f"there are {ALL}", "'x\\n'"),
        (5, f"there are {ALL}", "5"),
        (int, f"there are {ALL}", "<class 'int'>"),
        (mk.Component, f"there are {ALL}", "<class 'mousai_kit.core.component.Component'>"),
    ],
)
def test_what_is_no_class_of_a_kind_is_told_which_to_write(kind, hint, got):
    told = f"mk.build takes the class of a kind; {hint} (got {got})"
    assert refusal(kind, "ddim", schedule=None) == told


def test_a_plug_ins_kind_is_built_with_whatever_wiring_it_has(monkeypatch):
    registry = Registry()
    registry.add(Square, owner="theirs")
    monkeypatch.setattr("mousai_kit.core.build.installed_registry", lambda: registry)
    assert mk.build(Window, "square", length=0.5, hop="none").length == 0.5
    assert refusal(Window, "round") == "window: use: no window is called 'round'; there is 'square'"
    assert refusal(Window, "square", length=3) == (
        "window: square: is built with 'length' and 'hop'; 'hop' is missing"
    )
    assert refusal(Square, "square") == (
        f"mk.build takes the class of a kind; write mk.build({__name__}.Window, ...) "
        f"(got <class '{__name__}.Square'>)"
    )


def test_what_can_not_be_chosen_is_told_as_in_a_recipe():
    assert refusal(mk.Sampler, "dim", schedule=None) == (
        "sampler: use: no sampler is called 'dim'; did you mean 'ddim'?"
    )
    assert refusal(mk.Sampler, {"steps": 5}, schedule=None) == (
        "sampler: must say which sampler to use (`use: <name>`)"
    )
    assert refusal(mk.Sampler, {"use": "ddim", "stps": 5, "eta": 2}, schedule=None) == (
        "sampler: eta: must be at most 1 (got 2)\n"
        "sampler: stps: unknown option; did you mean 'steps'?"
    )


def test_wiring_that_is_not_the_kinds_is_told():
    assert refusal(mk.Sampler, "ddim", schedul=None) == (
        "sampler: ddim: is built with 'schedule'; 'schedule' is missing\n"
        "sampler: ddim: is built with 'schedule', not with 'schedul'; did you mean 'schedule'?"
    )
    assert refusal(mk.Schedule, "cosine", steps=3) == (
        "schedule: cosine: is built with nothing, not with 'steps'"
    )


def test_every_keyword_of_every_kind_has_a_rule():
    keys = [(*kind.build_kwargs, *kind.optional_build_kwargs) for kind in KINDS.values()]
    assert set(_KEYWORD_CHECKS) == {key for own in keys for key in own}


def test_wiring_of_another_type_is_told():
    assert refusal(mk.Sampler, "ddim", schedule="cosine") == (
        "sampler: ddim: schedule: must be a schedule, as mk.build(mk.Schedule, ...) makes "
        "(got 'cosine')"
    )
    assert refusal(mk.Stage, "diffusion-autoencoder", input_space=2) == (
        "stage: diffusion-autoencoder: input_space: must be an mk.SignalSpace (got 2)"
    )
    assert refusal(mk.UNet, "unet1d", channels=0, context_channels=None, text_features=True) == (
        "unet: unet1d: channels: must be a whole number of at least 1 (got 0)\n"
        "unet: unet1d: context_channels: must be a whole number, 0 for none (got null)\n"
        "unet: unet1d: text_features: must be a whole number, 0 for none (got true)"
    )
    assert refusal(mk.Dataset, "tones", sample_rate=8e3, channels=1, length=800, split="test") == (
        "dataset: tones: sample_rate: must be a whole number of at least 1 (got 8000.0)\n"
        "dataset: tones: split: must be 'train' or 'validation' (got 'test')"
    )
