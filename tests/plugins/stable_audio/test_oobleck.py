"""Oobleck: convolutions that keep time's measure, and activations for what repeats."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from mousai_kit_stable_audio.oobleck import (
    Lengthening,
    NormConvolution,
    OobleckDecoder,
    OobleckEncoder,
    OobleckOptions,
    Shortening,
    Snake,
    WeightNorm,
)


def options(factors):
    return OobleckOptions(channels=4, multipliers=[1] * len(factors), factors=factors)


@pytest.mark.parametrize("factors", [[2], [3], [2, 3, 5], [4, 8]])
def test_a_latent_is_a_frame_each_stride_and_as_long_again_as_audio(factors):
    made = options(factors)
    for frames in (1, 2, 7):
        wave = torch.randn(2, 1, made.stride * frames)
        latent = OobleckEncoder(made, inputs=1, outputs=6)(wave)
        assert latent.shape == (2, 6, frames)
        assert OobleckDecoder(made, inputs=6, outputs=1)(latent).shape == wave.shape


def test_a_snake_is_x_and_a_squared_sine_over_b():
    snake, x = Snake(2), torch.linspace(-3, 3, 14).reshape(1, 2, 7)
    with torch.no_grad():
        snake.alpha.copy_(torch.tensor([2.0, 0.5]).log().reshape(1, 2, 1))
        snake.beta.copy_(torch.tensor([3.0, 0.25]).log().reshape(1, 2, 1))
    expected = [
        x[:, :1] + torch.sin(2 * x[:, :1]) ** 2 / 3,
        x[:, 1:] + torch.sin(x[:, 1:] / 2) ** 2 / 0.25,
    ]
    torch.testing.assert_close(snake(x), torch.cat(expected, 1))


def test_a_normed_weight_keeps_its_direction_and_follows_its_length():
    weight = torch.randn(3, 2, 5)
    norm = WeightNorm(weight, length=3.0)
    expected = 3 * weight / weight.norm(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(norm(), expected)
    with torch.no_grad():
        norm.length.mul_(2)
        norm.direction.mul_(7)
    torch.testing.assert_close(norm(), 2 * expected)


@pytest.mark.parametrize("made", [options([8, 8]), options([2, 4, 8])])
def test_a_signal_passes_through_new_layers_both_ways(made):
    """Not one that only biases are left of: clips would not be told apart."""
    torch.manual_seed(0)
    wave = torch.randn(4, 1, 20 * made.stride)
    latent = OobleckEncoder(made, inputs=1, outputs=16)(wave)
    assert 0.1 < latent.std(0).mean() < 10
    heard = OobleckDecoder(made, inputs=16, outputs=1)(torch.randn(4, 16, 20))
    assert 0.1 < heard.std(0).mean() < 10


def test_each_convolution_is_pytorchs_with_its_weight():
    pairs = {
        NormConvolution(2, 3, 7, dilation=3): nn.Conv1d(2, 3, 7, dilation=3, padding=9),
        Shortening(2, 3, 4): nn.Conv1d(2, 3, 8, stride=4, padding=2),
        Lengthening(2, 3, 4): nn.ConvTranspose1d(2, 3, 8, stride=4, padding=2),
    }
    x = torch.randn(1, 2, 24)
    for ours, theirs in pairs.items():
        with torch.no_grad():
            theirs.weight.copy_(ours.weight())
            theirs.bias.copy_(ours.bias)
        torch.testing.assert_close(ours(x), theirs(x))


def test_widths_and_factors_that_do_not_agree_are_refused():
    with pytest.raises(ValidationError) as caught:
        OobleckOptions(channels=4, multipliers=[1, 2], factors=[2, 4, 4])
    told = "multipliers must be as many as factors (got 2 multipliers, 3 factors)"
    assert told in str(caught.value)
