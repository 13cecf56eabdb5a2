"""Classifier-free guidance: the formulas, and how often the network runs for them; blends."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mousai_kit.core.interfaces import Controls, TextEmbedding, UNet
from mousai_kit.models.guidance import Blend, ClassifierFreeGuidance


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


def guide(scale=5.0, **controls):
    """Return a network, and the guidance over it with controls."""
    network = Sum()
    asked = Controls(**controls)
    halves = text(2, 0), text(2, 1)
    return network, ClassifierFreeGuidance(network, *halves, scale=scale, controls=asked)


def at_scale(scale, sigma):
    return ClassifierFreeGuidance(Sum(), text(2, 0), text(2, 1), scale=scale)(X, sigma)


def test_controls_that_ask_nothing_change_nothing():
    assert torch.equal(guide()[1](X, SIGMA), at_scale(5.0, SIGMA))


def test_outside_its_interval_only_the_texts_half_runs():
    network, guided = guide(guidance_interval=[0.2, 0.8])
    for level, clips in [(0.9, 2), (0.8, 4), (0.5, 4), (0.2, 4), (0.1, 2)]:
        sigma = torch.full((2,), level)
        network.calls.clear()
        velocity = guided(X, sigma)
        assert network.calls == [clips]
        torch.testing.assert_close(velocity, at_scale(5.0 if clips == 4 else 1.0, sigma))


def test_clips_of_a_batch_at_different_levels_have_each_its_own_scale():
    _, guided = guide(guidance_interval=[0.0, 0.5])
    inside, outside = at_scale(5.0, SIGMA), at_scale(1.0, SIGMA)
    torch.testing.assert_close(guided(X, SIGMA), torch.stack([inside[0], outside[1]]))


@pytest.mark.parametrize(
    ("course", "scales"),
    [("linear", [1.0, 3.0, 5.0, 7.0, 9.0]), ("cosine", [1.0, 2.1716, 5.0, 7.8284, 9.0])],
)
@pytest.mark.parametrize("interval", [[0.0, 1.0], [0.3, 0.7]])
def test_a_rising_scale_is_the_same_on_average(course, scales, interval):
    _, guided = guide(guidance_schedule=course, guidance_interval=interval)
    low, high = interval
    for part, scale in zip([0, 0.25, 0.5, 0.75, 1], scales, strict=True):
        sigma = torch.full((2,), high - part * (high - low))
        torch.testing.assert_close(guided(X, sigma), at_scale(scale, sigma), atol=1e-3, rtol=1e-3)
    assert sum(scales[1:-1], (scales[0] + scales[-1]) / 2) / 4 == pytest.approx(5)


@given(st.floats(0, 1))
def test_rescaling_brings_each_clips_deviation_back_to_the_texts(rescale):
    plain, with_text = at_scale(5.0, SIGMA), at_scale(1.0, SIGMA)
    found = guide(guidance_rescale=rescale)[1](X, SIGMA)
    for clip in range(2):
        ratio = with_text[clip].std() / plain[clip].std()
        wanted = plain[clip] * (rescale * ratio + 1 - rescale)
        torch.testing.assert_close(found[clip], wanted)


def test_rescaling_what_is_silent_is_finite():
    _, guided = guide(guidance_rescale=1.0)
    assert guided(torch.zeros_like(X), torch.zeros(2)).isfinite().all()


def level(value):
    """Return a velocity of two clips' first texts, 0, and of their second ones: `value`."""
    return lambda x, sigma: torch.cat([torch.zeros_like(x[:2]), torch.full_like(x[2:], value)])


@pytest.mark.parametrize("at", [0.0, 0.3, 1.0])
def test_a_blend_in_between_has_the_same_share_everywhere(at):
    assert torch.equal(Blend(level(2.0), frames=5, at=at)(X, SIGMA), torch.full_like(X, 2 * at))


def test_a_blend_along_a_clip_goes_smoothly_from_one_text_to_the_other():
    found = Blend(level(1.0), frames=5)(torch.zeros(2, 4, 8), SIGMA)
    shares = torch.tensor([0, 0.1464, 0.5, 0.8536, 1, 1, 1, 1])
    torch.testing.assert_close(found, shares.expand(2, 4, 8), atol=1e-4, rtol=0)
    single = Blend(level(1.0), frames=1)(torch.zeros(2, 4, 1), SIGMA)
    assert single.isfinite().all()


def test_a_blend_hears_both_texts_in_one_batch():
    network = Sum()
    both = TextEmbedding.concatenate(text(2, 0), text(2, 1))
    found = Blend(network.bind(None, both), frames=5, at=0.25)(X, SIGMA)
    assert network.calls == [4]
    first, second = (network(X, SIGMA, text=text(2, seed)) for seed in (0, 1))
    torch.testing.assert_close(found, 0.75 * first + 0.25 * second)
