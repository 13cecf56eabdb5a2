"""Classifier-free guidance: the formula, and how often the network runs for it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mousai_kit.core.interfaces import TextEmbedding, UNet
from mousai_kit.models.guidance import ClassifierFreeGuidance


class Sum(UNet):
    """v = x * (sum of the text's real tokens) + the context's sum + sigma, clip by clip."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.calls = []

    def forward(self, x, sigma, *, context=None, text=None):
        self.calls.append(len(x))
        told = (text.embedding * text.mask[..., None]).sum((1, 2))
        around = 0 if context is None else context.sum((1, 2))
        return x * told[:, None, None] + (around + sigma)[:, None, None]


def text(clips, seed):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(clips, 3, generator=generator) < 0.7
    return TextEmbedding(torch.randn(clips, 3, 2, generator=generator), mask)


X, SIGMA = torch.randn(2, 4, 5), torch.tensor([0.2, 0.9])
CONTEXT = torch.randn(2, 1, 5)


@given(st.floats(0, 20), st.booleans())
def test_the_guided_velocity_is_the_nulls_plus_scale_times_the_difference(scale, in_context):
    network, context = Sum(), CONTEXT if in_context else None
    guided = ClassifierFreeGuidance(network, text(2, 0), text(2, 1), scale=scale, context=context)
    told = network(X, SIGMA, context=context, text=text(2, 0))
    untold = network(X, SIGMA, context=context, text=text(2, 1))
    torch.testing.assert_close(
        guided(X, SIGMA), untold + scale * (told - untold), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 7.0])
def test_both_halves_run_in_one_batch(scale):
    network = Sum()
    ClassifierFreeGuidance(network, text(2, 0), text(2, 1), scale=scale)(X, SIGMA)
    assert network.calls == [4]


def test_at_scale_one_only_the_texts_half_runs():
    network = Sum()
    guided = ClassifierFreeGuidance(network, text(2, 0), text(2, 1), scale=1.0, context=CONTEXT)
    velocity = guided(X, SIGMA)
    assert network.calls == [2]
    assert torch.equal(velocity, network(X, SIGMA, context=CONTEXT, text=text(2, 0)))


def test_conditioning_is_bound_once_however_many_steps_follow(monkeypatch):
    network, bound = Sum(), []
    bind = network.bind
    monkeypatch.setattr(
        network, "bind", lambda *given, **told: bound.append(given) or bind(*given, **told)
    )
    guided = ClassifierFreeGuidance(network, text(2, 0), text(2, 1), scale=2.0)
    for _ in range(3):
        guided(X, SIGMA)
    assert len(bound) == 1
