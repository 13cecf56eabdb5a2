"""Checks: what `run` would refuse, `validate` does, and both before the first step."""

from pathlib import Path

import nano
import pytest
import torch
from torch import nn

import mousai_kit.api as mk
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RecipeError
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import Registry
from mousai_kit.models import shapes
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.checks import check_run
from mousai_kit.training.run import train_run

PROMPTS = (
    "a.yaml:17: generate.prompts: the top stage, diffusion-autoencoder, makes no music from text, "
    "so that there is nothing to do with prompts; leave them out (`generate.prompts`), or add a "
    "stage above it\n"
)
PROMPTLESS = "generate: {prompts: []}\nevaluate: {metrics: [log-mel-distance]}\n"
TEXT_ONLY = nano.RECIPE[: nano.RECIPE.index("  autoencoder:")] + nano.RECIPE[
    nano.RECIPE.index("  generator:") :
].replace("length: 4096, ", "length: 1024, ")


class Short(mk.UNet):
    """A network whose answer is a frame short."""

    name = "short"

    def __init__(self, options, *, channels, context_channels, text_features):
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        self.downsampling, self.network = 1, nn.Conv1d(channels, channels, 1)

    def forward(self, x, sigma, *, context=None, text=None):
        return self.network(x)[..., :-1]


class Mono(Short):
    """A network whose answer has one channel, and so spreads over all."""

    name = "mono"

    def forward(self, x, sigma, *, context=None, text=None):
        return self.network(x)[:, :1]


class ShortInside(Short):
    """A network whose binding does not ask itself."""

    name = "short-inside"

    def bind(self, context=None, text=None, *, levels=None):
        return lambda x, sigma: self.network(x)[..., :-1]


@pytest.fixture
def broken(here):
    """Load the nano recipe, or another, with networks of wrong shapes among the components."""
    known = Registry()
    for component, owner in installed_registry():
        known.add(component, owner=owner)
    for component in (Short, Mono, ShortInside):
        known.add(component, owner="test")
    (here / "nano.yaml").write_text(nano.RECIPE)
    return lambda *overrides: load_recipe("nano.yaml", overrides, registry=known)


@pytest.mark.parametrize("verb", ["validate", "run"])
def test_prompts_of_a_system_without_text_are_refused(here, capfd, verb):
    (here / "a.yaml").write_text(nano.AUTOENCODER_ONLY + "generate: {prompts: [x]}\n")
    answer = nano.call(capfd, verb, "a.yaml")
    assert (answer.code, answer.out, answer.err.splitlines(keepends=True)[-1]) == (2, "", PROMPTS)


@pytest.mark.parametrize("verb", ["validate", "run"])
def test_metrics_that_measure_nothing_are_told(here, capfd, verb):
    (here / "a.yaml").write_text(TEXT_ONLY)
    answer = nano.call(capfd, verb, "a.yaml")
    assert answer.code == 0
    assert (
        "a.yaml:19: evaluate.metrics: measures nothing here: no stage encodes audio, so that no "
        "clip can be brought back\n"
    ) in answer.out + answer.err


@pytest.mark.parametrize(
    ("stage", "unet", "answer", "asked"),
    [
        ("generator", "short", [2, 4, 15], [2, 4, 16]),
        ("generator", "mono", [2, 1, 16], [2, 4, 16]),
        ("autoencoder", "short", [2, 64, 31], [2, 64, 32]),
    ],
)
def test_a_network_that_answers_in_another_shape_is_refused_before_all(
    broken, stage, unet, answer, asked
):
    recipe = broken(f"stages.{stage}.model.unet={unet}")
    told = f"{unet}: its v is {answer} where x is {asked}; they must be alike"
    with pytest.raises(RecipeError, match=f": stages.{stage}.model: ") as raised:
        check_run(recipe, Cascade.build(recipe, device="meta"))
    assert str(raised.value).endswith(told)
    run = RunFolder(Path("runs/nano"))
    with pytest.raises(RecipeError) as raised:
        train_run(Run(recipe, run, Screen()))
    assert str(raised.value).endswith(told)


@pytest.mark.parametrize(
    ("small", "told"),
    [
        (2**25, "The size of tensor a (15) must match the size of tensor b (16)"),
        (0, "Attempting to broadcast a dimension of length 16"),
    ],
)
def test_a_binding_whose_shape_does_not_fit_is_refused_too(broken, monkeypatch, small, told):
    monkeypatch.setattr(shapes, "SMALL", small)
    recipe = broken("stages.generator.model.unet=short-inside")
    with pytest.raises(RecipeError) as raised:
        check_run(recipe, Cascade.build(recipe, device="meta"))
    assert f"stages.generator.model: parts do not fit: {told}" in str(raised.value)


def test_trying_shapes_changes_nothing(here):
    recipe = nano.recipe()
    cascade = Cascade.build(recipe)
    before = {key: value.clone() for key, value in cascade.top.state_dict().items()}
    state = torch.get_rng_state()
    assert check_run(recipe, cascade) == []
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in cascade.top.state_dict().items())
