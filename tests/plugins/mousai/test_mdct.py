"""The MDCT: orthonormal, exactly invertible, and the textbook's transform away from the ends."""

from math import pi

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mousai_kit_mousai.domains import MDCT, dct_iv

EVEN_HOPS = st.integers(8, 40).map(lambda half: 2 * half)


def domain(hop=16, *, channels=2, exponent=1.0, mid_side=True):
    options = MDCT.Options(hop=hop, exponent=exponent, mid_side=mid_side)
    return MDCT(options, audio_channels=channels)


def white(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def textbook(wave, hop):
    """Return the MDCT of a mono wave [t] with a sine window, frame by frame, as [hop, frames - 2].

    Frames overlap by half: frame i covers hop * i - hop / 2 to hop * i + 3 hop / 2. The first and
    the last reach over the ends and are left out.
    """
    n = torch.arange(2 * hop, dtype=torch.float64)
    k = torch.arange(hop, dtype=torch.float64)[:, None]
    window = (pi / (2 * hop) * (n + 0.5)).sin()
    basis = (2 / hop) ** 0.5 * window * (pi / hop * (n + 0.5 + hop / 2) * (k + 0.5)).cos()
    pieces = wave.double()[hop // 2 : len(wave) - hop // 2].unfold(0, 2 * hop, hop)
    return (basis @ pieces.T).float()


@given(EVEN_HOPS, st.integers(1, 6), st.integers(1, 5), st.booleans())
def test_the_transform_keeps_the_norm(hop, frames, channels, mid_side):
    wave = white(2, channels, hop * frames)
    x = domain(hop, channels=channels, mid_side=mid_side)(wave)
    assert x.shape == (2, channels * hop, frames)
    torch.testing.assert_close(x.norm(), wave.norm())


@given(EVEN_HOPS, st.integers(1, 6), st.integers(1, 5), st.sampled_from([0.3, 0.5, 1.0]))
def test_the_inverse_is_exact_to_the_last_sample(hop, frames, channels, exponent):
    wave = white(2, channels, hop * frames)
    mdct = domain(hop, channels=channels, exponent=exponent)
    mdct.fit_statistics([white(3, channels, hop * 8, seed=1)])
    torch.testing.assert_close(mdct.inverse(mdct(wave), hop * frames), wave, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("length", [0, 1, 47, 64])
def test_the_inverse_is_cut_to_the_length_asked_for(length):
    wave = white(1, 2, 64)
    made = domain().inverse(domain()(wave), length)
    torch.testing.assert_close(made, wave[..., :length], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("hop", [16, 18, 64])
def test_away_from_the_ends_it_is_the_textbooks_mdct_run_backwards_in_time(hop):
    """Time runs backwards as DCT-IV is even at its start: the same bands, up to a sign each."""
    wave = white(1, 1, hop * 7)
    x = domain(hop, channels=1)(wave)[0, :, 1:-1]
    expected = -textbook(wave[0, 0].flip(0), hop).flip(1)
    torch.testing.assert_close(x, expected, atol=1e-4, rtol=1e-4)


def test_dct_iv_is_the_textbooks_and_its_own_inverse():
    n = torch.arange(16, dtype=torch.float64) + 0.5
    matrix = (2 / 16) ** 0.5 * (pi / 16 * n[:, None] * n).cos()
    x = white(3, 16).double()
    torch.testing.assert_close(dct_iv(x), x @ matrix)
    torch.testing.assert_close(dct_iv(dct_iv(x)), x)


@pytest.mark.parametrize("mid_side", [True, False])
def test_white_noise_stays_white(mid_side):
    x = domain(16, mid_side=mid_side)(white(1, 2, 16 * 20_000))[0]
    torch.testing.assert_close(x @ x.T / x.shape[1], torch.eye(32), atol=0.05, rtol=0)


def test_a_held_sine_occupies_few_coefficients():
    hop, time = 256, torch.arange(256 * 40)
    x = domain(hop, channels=1)((0.0731 * 2 * pi * time).sin()[None, None])[0]
    share = x.square().sum(1) / x.square().sum()
    loudest = share.argmax().item()
    assert loudest == int(0.0731 * 2 * hop)
    assert share.sort(descending=True).values[:4].sum() > 0.99


def test_centred_music_has_an_empty_side():
    wave = white(1, 1, 64).expand(1, 2, 64)
    mid, side = domain(16)(wave).chunk(2, 1)
    torch.testing.assert_close(mid, domain(16, channels=1)(wave[:, :1]) * 2**0.5)
    torch.testing.assert_close(side, torch.zeros_like(side))


def test_left_and_right_stay_apart_where_asked():
    wave = white(1, 2, 64)
    left, right = domain(16, mid_side=False)(wave).chunk(2, 1)
    torch.testing.assert_close(left, domain(16, channels=1)(wave[:, :1]))
    torch.testing.assert_close(right, domain(16, channels=1)(wave[:, 1:]))


def test_companding_keeps_signs_and_takes_the_power_of_magnitudes():
    wave = white(1, 2, 64)
    plain, companded = domain()(wave), domain(exponent=0.5)(wave)
    torch.testing.assert_close(companded, plain.sign() * plain.abs().sqrt())


class TestPrepare:
    def test_every_band_gets_about_unit_variance(self):
        mdct = domain(32, exponent=0.5)
        tilted = white(4, 2, 32 * 500).cumsum(-1)
        tilted = tilted - tilted.mean(-1, keepdim=True)
        mdct.fit_statistics([tilted])
        power = mdct(tilted).square().mean((0, 2))
        assert power.mean().item() == pytest.approx(1, abs=0.1)
        assert power[3:32].min() > 0.5
        assert power[3:32].max() < 2

    def test_stationary_noise_of_any_loudness_gets_unit_variance_in_every_band(self):
        mdct = domain(16, exponent=0.5)
        wave = torch.stack([3 * white(16 * 4000), 0.02 * white(16 * 4000, seed=1)])[None]
        mdct.fit_statistics(wave.split(16 * 500, dim=-1))
        torch.testing.assert_close(
            mdct(wave).square().mean((0, 2)), torch.ones(32), atol=0.1, rtol=0
        )

    def test_how_the_music_is_divided_does_not_matter(self):
        whole, parts = domain(), domain()
        waves = white(6, 2, 64)
        whole.fit_statistics([waves])
        parts.fit_statistics(waves.split([1, 2, 3]))
        torch.testing.assert_close(whole.scale, parts.scale)

    @pytest.mark.parametrize("waves", [[], [torch.zeros(1, 2, 64)]])
    def test_silence_or_nothing_leaves_a_usable_scale(self, waves):
        mdct = domain()
        mdct.fit_statistics(waves)
        assert mdct(white(1, 2, 64)).isfinite().all()

    def test_the_scale_is_saved_with_the_weights(self):
        measured, fresh = domain(), domain()
        measured.fit_statistics([white(1, 2, 160) * 5])
        assert list(measured.state_dict()) == ["scale"]
        fresh.load_state_dict(measured.state_dict())
        wave = white(1, 2, 64)
        assert torch.equal(fresh(wave), measured(wave))


def test_it_works_out_shapes_on_the_meta_device():
    with torch.device("meta"):
        mdct = domain(exponent=0.5)
        wave = torch.zeros(3, 2, 64)
    mdct.fit_statistics([wave])
    x = mdct(wave)
    assert (x.shape, x.device.type) == ((3, 32, 4), "meta")
    assert mdct.inverse(x, 60).shape == (3, 2, 60)


def test_half_precision_is_computed_in_single():
    wave = white(1, 2, 64)
    x = domain()(wave.bfloat16())
    assert x.dtype == torch.float32
    assert domain().inverse(x.bfloat16(), 64).dtype == torch.float32


@pytest.mark.parametrize("hop", [15, 17, 8194])
def test_a_hop_that_does_not_fit_is_refused(hop):
    with pytest.raises(ValidationError):
        MDCT.Options(hop=hop)


@pytest.mark.parametrize("sizes", [[9], [1, 8], [4, 5], [1] * 9, [3, 0, 6], [7, 1, 1]])
def test_audio_of_pieces_is_that_of_the_whole(sizes):
    x = white(2, 32, 9)
    for length in (1, 16, 100, 129, 9 * 16):
        whole = domain().inverse(x, length)
        heard = torch.cat([*domain().stream(x.split(sizes, -1), length)], -1)
        torch.testing.assert_close(heard, whole, rtol=0, atol=1e-5)
