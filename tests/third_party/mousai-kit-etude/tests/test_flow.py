"""rectified-flow: its velocity is that of samplers, and exact flows arrive at the data."""

from __future__ import annotations

from typing import Any

import mousai_kit.api as mk
import pytest
import torch
from mousai_kit.testing import StageContract
from torch import Tensor

from mousai_kit_etude.flow import RectifiedFlow
from mousai_kit_etude.ngrams import NGrams

SMALL: dict[str, Any] = {
    "text": {"use": "ngrams", "features": 8, "tokens": 4, "buckets": 64},
    "unet": {
        "use": "unet1d",
        "transform": None,
        "channels": [16, 16],
        "factors": [1, 2],
        "blocks": [1, 1],
        "cross_attentions": [1, 1],
        "attention_heads": 2,
        "attention_features": 8,
        "modulation_features": 16,
        "context_injections": [],
    },
    "sampler": {"use": "kutta-3", "steps": 6},
}


class TestRectifiedFlow(StageContract):
    component = RectifiedFlow
    options = SMALL


@pytest.fixture
def stage() -> Any:
    return TestRectifiedFlow().build(input_space=mk.SignalSpace(4, 32, 8000))


def test_an_exact_flow_is_an_exact_velocity(stage: RectifiedFlow) -> None:
    s, n = torch.randn(2, 3, 4, 5).unbind()
    sigma = torch.tensor([0.1, 0.5, 0.9])
    alpha, beta = (it[:, None, None] for it in stage.schedule.weights(sigma))
    v = stage.velocity(lambda y, t: n - s)(alpha * s + beta * n, sigma)
    torch.testing.assert_close(v, alpha * n - beta * s)


def test_the_network_is_asked_on_the_straight_path(stage: RectifiedFlow) -> None:
    s, n = torch.randn(2, 1, 4, 5).unbind()
    asked = []
    velocity = stage.velocity(lambda y, t: (asked.append((y, t)), n - s)[1])
    sigma = torch.tensor([0.7])
    alpha, beta = stage.schedule.weights(sigma)
    velocity(alpha * s + beta * n, sigma)
    ((y, t),) = asked
    torch.testing.assert_close(y, (1 - t) * s + t * n)


def test_an_exact_flow_to_one_signal_arrives_there(stage: RectifiedFlow) -> None:
    data = torch.randn(1, 4, 5)

    def flow(y: Tensor, t: Tensor) -> Tensor:
        return (y - data) / t[:, None, None]

    made = stage.sampler.sample(stage.velocity(flow), torch.randn(2, 4, 5))
    torch.testing.assert_close(made, data.expand(2, 4, 5), rtol=1e-4, atol=1e-4)


def test_what_is_measured_brings_latents_to_unit_variance(stage: RectifiedFlow) -> None:
    signals = [3 + 2 * torch.randn(1, 4, 500) for _ in range(4)]
    stage.fit_statistics(signals, [])
    assert stage.mean.flatten().tolist() == pytest.approx([3] * 4, abs=0.2)
    assert stage.deviation.flatten().tolist() == pytest.approx([2] * 4, abs=0.15)


def request(**changes: Any) -> mk.GenerationRequest:
    return mk.GenerationRequest(**{"prompts": ["rock"], "seeds": [0], "samples": 512, **changes})


def test_what_it_makes_is_on_the_scale_of_what_it_learned(stage: RectifiedFlow) -> None:
    plain = stage.decode(None, request())
    stage.mean.fill_(3)
    stage.deviation.fill_(2)
    torch.testing.assert_close(stage.decode(None, request()), 2 * plain + 3)


def test_guidance_tells_how_strictly_it_follows_the_text(stage: RectifiedFlow) -> None:
    for parameter in stage.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    made = [stage.decode(None, request(guidance=it)) for it in (1.0, 4.0)]
    assert not torch.allclose(*made)


def test_a_text_that_is_always_dropped_is_none(stage: RectifiedFlow) -> None:
    stage.drop = 1.0
    signal, prompts = torch.randn(2, 4, 16), ["rock", ""]
    losses = [
        stage.loss(signal, prompts, noise=mk.NoiseSource([0, 1]), condition=it)
        for it in ("training", "none")
    ]
    assert torch.equal(*losses)
    told = stage._told(prompts, "training", torch.tensor([True, True]))
    assert told.mask.all()


def test_above_it_there_is_only_text(stage: RectifiedFlow) -> None:
    with pytest.raises(mk.RequestError) as raised:
        stage.encode(torch.zeros(1, 4, 5))
    told = "rectified-flow makes signals from text; nothing stands above it"
    assert str(raised.value) == told


def test_its_parts_may_be_anyones(stage: RectifiedFlow) -> None:
    assert isinstance(stage.text, NGrams)
    assert [type(it).__name__ for it in (stage.unet, stage.schedule)] == ["UNet1d", "Cosine"]
