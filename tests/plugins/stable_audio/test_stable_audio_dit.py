"""The transformer: what steers it as a whole, and what a text's absence is."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit_stable_audio.dit import StableAudioDiT

SMALL = {"depth": 2, "heads": 4, "head_features": 8, "shared_heads": 2, "told_features": 12}
TOKENS = 5


@pytest.fixture
def network():
    """Return a network whose every weight says something."""
    torch.manual_seed(0)
    made = StableAudioDiT(
        StableAudioDiT.Options(**SMALL), channels=3, context_channels=0, text_features=6
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return made.eval()


def told(mask=None, *, changed=None):
    """Return tokens of two texts, the last two of them a timing's."""
    embedding = torch.randn(2, TOKENS, 6, generator=torch.Generator().manual_seed(1))
    if changed is not None:
        embedding[:, changed] += 1
    real = torch.ones(2, TOKENS, dtype=torch.bool)
    if mask is not None:
        real[:, mask] = False
    return mk.TextEmbedding(embedding, real)


@torch.no_grad()
def velocity(network, text, frames=9):
    x = torch.randn(2, 3, frames, generator=torch.Generator().manual_seed(2))
    return network(x, torch.tensor([0.2, 0.7]), text=text)


def test_the_timing_steers_it_where_there_is_no_text(network):
    """In guidance's pass without a text all frames still follow the timing, as a whole."""
    silent = slice(0, TOKENS - 2)
    one = velocity(network, told(silent))
    other = velocity(network, told(silent, changed=slice(TOKENS - 2, TOKENS)))
    assert not torch.allclose(one, other)


def test_without_a_text_nothing_is_looked_at(network):
    """As if the attention to tokens were not there, timing's among them."""
    silent = told(slice(0, TOKENS - 2))
    expected = velocity(network, silent)
    for block in network.blocks:
        torch.nn.init.zeros_(block.reading.leave.weight)
    torch.testing.assert_close(velocity(network, silent), expected)


def test_a_masked_token_is_one_of_zeros(network):
    text = told(slice(1, 3))
    zeros = mk.TextEmbedding(
        text.embedding.masked_fill(~text.mask[..., None], 0), torch.ones_like(text.mask)
    )
    torch.testing.assert_close(velocity(network, text), velocity(network, zeros))


def test_before_training_what_it_is_told_makes_no_difference():
    made = StableAudioDiT(
        StableAudioDiT.Options(**SMALL, global_tokens=0),
        channels=3,
        context_channels=0,
        text_features=6,
    ).eval()
    torch.testing.assert_close(velocity(made, told()), velocity(made, told(changed=0)))


def test_heads_that_do_not_share_evenly_are_refused():
    with pytest.raises(ValidationError) as caught:
        StableAudioDiT.Options(heads=4, shared_heads=3)
    assert "shared_heads must divide heads (got shared_heads 3, heads 4)" in str(caught.value)


def test_the_network_is_that_of_karras_et_al_at_data_of_deviation_1():
    """Its input and its answer for the data need no factors: see the module's first lines."""
    sigma = torch.tensor([0.3, 5.0, 500.0], dtype=torch.float64)
    angle = sigma.atan()
    alpha, beta = angle.cos(), angle.sin()
    data, noise = torch.randn(2, 3, dtype=torch.float64)
    x, v = alpha * data + beta * noise, alpha * noise - beta * data
    noised = data + sigma * noise
    c_in, c_skip = (sigma**2 + 1) ** -0.5, 1 / (sigma**2 + 1)
    c_out = -sigma * (sigma**2 + 1) ** -0.5
    torch.testing.assert_close(c_in * noised, x)
    torch.testing.assert_close(c_skip * noised + c_out * v, alpha * x - beta * v)
    torch.testing.assert_close(alpha * x - beta * v, data)
