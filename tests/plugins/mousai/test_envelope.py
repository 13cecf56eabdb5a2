"""The envelope: likelihood, and the velocity that starts from Wiener's filter."""

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.models.loss import mean_per_clip
from mousai_kit_mousai.diffusion_autoencoder import _before_tanh
from mousai_kit_mousai.domains import MDCT
from mousai_kit_mousai.envelope import (
    OUTLIER,
    Envelope,
    EnvelopeOptions,
    EnvelopePreconditioner,
    gaussian_nll,
)
from mousai_kit_mousai.schedules import Cosine

SCHEDULE = Cosine(mk.Options())


def silent(x, sigma):
    """A network that answers nothing."""
    return torch.zeros_like(x)


def test_an_untrained_envelope_is_that_of_unit_variance():
    envelope = Envelope(EnvelopeOptions(channels=8), latent_channels=3, channels=5)
    assert torch.equal(envelope(torch.randn(2, 3, 7), 7), torch.zeros(2, 5, 7))


def test_an_envelope_is_told_for_as_many_frames_as_asked():
    envelope = Envelope(EnvelopeOptions(channels=8, blocks=1), latent_channels=3, channels=5)
    assert envelope(torch.randn(2, 3, 4), 8).shape == (2, 5, 8)


def test_no_deviation_is_less_surprised_than_the_true_one():
    signal = 0.3 * torch.randn(1, 1, 200_000, generator=torch.Generator().manual_seed(0))
    logs = torch.linspace(-3, 1, 81)
    found = [gaussian_nll(value.reshape(1, 1, 1), signal).mean() for value in logs]
    best = logs[torch.stack(found).argmin()].exp().item()
    assert best == pytest.approx(0.3, rel=0.05)


def test_a_click_can_not_dominate():
    signal = torch.tensor([[[1e6]]])
    assert gaussian_nll(torch.zeros(1, 1, 1), signal).item() == OUTLIER / 2


@pytest.mark.parametrize("deviation", [0.05, 0.7, 1.0, 3.0])
@pytest.mark.parametrize("level", [0.05, 0.5, 0.95])
def test_without_an_answer_v_is_the_best_linear_one_for_the_told_variance(deviation, level):
    generator = torch.Generator().manual_seed(1)
    signal = deviation * torch.randn(1, 1, 400_000, generator=generator)
    noise = torch.randn(1, 1, 400_000, generator=generator)
    sigma = torch.tensor([level])
    alpha, beta = SCHEDULE.weights(sigma)
    x, v = alpha * signal + beta * noise, alpha * noise - beta * signal
    slope = (x * v).mean() / x.square().mean()
    told = torch.full((1, 1, 400_000), deviation).log()
    torch.testing.assert_close(
        EnvelopePreconditioner(silent, told, SCHEDULE)(x, sigma), slope * x, atol=0.02, rtol=0.02
    )


def test_what_the_filter_leaves_open_has_unit_variance_for_the_network():
    generator = torch.Generator().manual_seed(2)
    signal = 0.2 * torch.randn(1, 1, 400_000, generator=generator)
    noise = torch.randn(1, 1, 400_000, generator=generator)
    sigma = torch.tensor([0.3])
    alpha, beta = SCHEDULE.weights(sigma)
    x, v = alpha * signal + beta * noise, alpha * noise - beta * signal
    told = torch.full((1, 1, 400_000), 0.2).log()

    def one(seen, sigma):
        answer = torch.zeros_like(seen)
        answer[:, :1] = 1
        return answer

    unit = EnvelopePreconditioner(one, told, SCHEDULE)(x, sigma)
    base = EnvelopePreconditioner(silent, told, SCHEDULE)(x, sigma)
    assert ((v - base) / (unit - base)).std().item() == pytest.approx(1, abs=0.01)


def test_the_networks_correction_moves_the_envelope():
    def corrects(seen, sigma):
        answer = torch.zeros_like(seen)
        answer[:, 2:] = 0.5
        return answer

    x, told, sigma = torch.randn(1, 2, 4), torch.randn(1, 2, 4), torch.tensor([0.4])
    torch.testing.assert_close(
        EnvelopePreconditioner(corrects, told, SCHEDULE)(x, sigma),
        EnvelopePreconditioner(silent, told + 0.5, SCHEDULE)(x, sigma),
    )


def test_the_way_back_through_tanh_has_a_slope_wherever_float32_tells():
    before = torch.tensor([-6.0, -1.0, 0.0, 2.5, 6.0])
    torch.testing.assert_close(_before_tanh(before.tanh()), before, atol=0.05, rtol=0.01)
    assert _before_tanh(torch.tensor([1.0, -1.0])).isfinite().all()


def test_emphasis_makes_low_bands_count_more_and_the_mean_one():
    domain = MDCT(MDCT.Options(hop=64, emphasis=4), audio_channels=2)
    weights = domain.channel_weights()
    assert weights.shape == (128,)
    assert weights.mean().item() == pytest.approx(1)
    assert weights[0] / weights[63] == pytest.approx((4 + 63) / 4)
    assert torch.equal(weights[:64], weights[64:])
    assert MDCT(MDCT.Options(hop=64), audio_channels=2).channel_weights() is None


def test_averages_weigh_channels_by_their_importance():
    errors = torch.tensor([[[1.0, 3.0], [10.0, 10.0]]])
    assert mean_per_clip(errors, None).item() == 6
    assert mean_per_clip(errors, torch.tensor([2.0, 0.0])).item() == 2
