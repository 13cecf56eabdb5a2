"""Building a component on its own: as a recipe would, and what is said where that fails."""

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.building import RULES
from mousai_kit.interfaces import KINDS


def refusal(kind, what, **wiring):
    with pytest.raises(mk.RequestError) as refused:
        mk.build(kind, what, **wiring)
    return str(refused.value)


def test_parts_are_built_by_name_or_with_options_and_work_together():
    schedule = mk.build("schedule", "cosine")
    sampler = mk.build("sampler", {"use": "ddim", "steps": 20}, schedule=schedule)
    assert (sampler.name, sampler.steps) == ("ddim", 20)
    data = torch.linspace(-1, 1, 24).reshape(2, 3, 4)

    def velocity(x, sigma):
        alpha, beta = (it[:, None, None] for it in schedule.weights(sigma))
        return alpha * (x - alpha * data) / beta - beta * data

    made = sampler.sample(velocity, mk.NoiseSource([0, 1]).like(data))
    torch.testing.assert_close(made, data, rtol=0, atol=1e-4)


def test_a_kind_that_there_is_not_is_told():
    assert refusal("smapler", "ddim") == "there is no kind 'smapler'; did you mean 'sampler'?"
    assert refusal("xyz", "ddim").startswith(
        "there is no kind 'xyz'; the kinds are 'text_encoder', "
    )


def test_what_can_not_be_chosen_is_told_as_in_a_recipe():
    assert refusal("sampler", "dim", schedule=None) == (
        "sampler: use: no sampler is called 'dim'; did you mean 'ddim'?"
    )
    assert refusal("sampler", {"steps": 5}, schedule=None) == (
        "sampler: must say which sampler to use (`use: <name>`)"
    )
    assert refusal("sampler", {"use": "ddim", "stps": 5, "eta": 2}, schedule=None) == (
        "sampler: eta: must be at most 1 (got 2)\n"
        "sampler: stps: unknown option; did you mean 'steps'?"
    )


def test_wiring_that_is_not_the_kinds_is_told():
    assert refusal("sampler", "ddim", schedul=None) == (
        "sampler: ddim: is built with 'schedule'; 'schedule' is missing\n"
        "sampler: ddim: is built with 'schedule', not with 'schedul'; did you mean 'schedule'?"
    )
    assert refusal("schedule", "cosine", steps=3) == (
        "schedule: cosine: is built with nothing, not with 'steps'"
    )


def test_every_keyword_of_every_kind_has_a_rule():
    assert set(RULES) == {key for kind in KINDS.values() for key in kind.wiring}


@pytest.mark.parametrize("kind", [it for it in KINDS if "_" in it])
def test_a_kind_may_be_written_with_a_hyphen(kind):
    told = refusal(kind, "no-such-name", sample_rate=1)
    assert refusal(kind.replace("_", "-"), "no-such-name", sample_rate=1) == told


def test_wiring_of_another_type_is_told():
    assert refusal("sampler", "ddim", schedule="cosine") == (
        "sampler: ddim: schedule: must be a schedule, as mk.build('schedule', ...) makes "
        "(got 'cosine')"
    )
    assert refusal("stage", "diffusion-autoencoder", below=2) == (
        "stage: diffusion-autoencoder: below: must be an mk.Space (got 2)"
    )
    assert refusal("unet", "unet1d", channels=0, context_channels=None, text_features=True) == (
        "unet: unet1d: channels: must be a whole number of at least 1 (got 0)\n"
        "unet: unet1d: context_channels: must be a whole number, 0 for none (got null)\n"
        "unet: unet1d: text_features: must be a whole number, 0 for none (got true)"
    )
    assert refusal("dataset", "tones", sample_rate=8e3, channels=1, length=800, split="test") == (
        "dataset: tones: sample_rate: must be a whole number of at least 1 (got 8000.0)\n"
        "dataset: tones: split: must be 'train' or 'validation' (got 'test')"
    )
