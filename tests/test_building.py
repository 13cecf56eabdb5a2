"""Building a component on its own: as a recipe would, and what is said where that fails."""

import pytest
import torch

import mousai_kit.api as mk


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
