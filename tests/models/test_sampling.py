"""Stepping: levels, their mixtures in double precision, and what a sampler asks for."""

from math import cos, inf, log, pi

import pytest
import torch
from known_schedules import COSINE, SHIFTED

import mousai_kit.api as mk
from mousai_kit.core.component import Use
from mousai_kit.core.interfaces import Sampler
from mousai_kit.testing.reference_velocities import noise
from mousai_kit_mousai.schedules import Cosine, ShiftedCosine


class Still(mk.SteppedSampler):
    name = "still"

    def sample(self, velocity, noise, *, generator=None):
        return noise


def still(steps, schedule=COSINE, **more):
    return Still(mk.SamplerOptions(steps=steps, **more), schedule=schedule)


def test_both_ends_are_exact():
    for schedule in (COSINE, SHIFTED):
        steps = [
            (now, later) for _, now, later in still(3, schedule).iterate_levels(noise(1, 1, 2))
        ]
        assert steps[0][0] == mk.NoiseLevel(1.0, 0.0, 1.0)
        assert steps[-1][1] == mk.NoiseLevel(0.0, 1.0, 0.0)
        assert [later for _, later in steps[:-1]] == [now for now, _ in steps[1:]]


def test_a_levels_angle_and_ratio_reach_to_both_ends():
    noise, signal, even = (
        mk.NoiseLevel(1, 0.0, 1.0),
        mk.NoiseLevel(0, 1.0, 0.0),
        mk.NoiseLevel(0.5, 0.6, 0.8),
    )
    assert (noise.angle, signal.angle) == (pi / 2, 0)
    assert (noise.half_log_snr, signal.half_log_snr) == (-inf, inf)
    assert even.half_log_snr == pytest.approx(log(0.75), abs=1e-15)


def test_scalars_are_double_whatever_x_is():
    x = noise(2, 1, 3, dtype=torch.float32)
    (sigma, _, later), *_ = still(3).iterate_levels(x)
    two_thirds = torch.linspace(1, 0, 4)[1].item()
    assert (sigma.dtype, sigma.tolist()) == (torch.float32, [1, 1])
    assert later.alpha == pytest.approx(cos(two_thirds * pi / 2), abs=1e-15)
    assert later.alpha**2 + later.beta**2 == pytest.approx(1, abs=1e-15)


def test_another_schedule_gives_levels_and_no_mixture():
    class Halved(Cosine):
        def levels(self, steps):
            return torch.tensor([1.0, 0.25, 0.0])

    sampler = still(2, SHIFTED, levels=Use(Halved, Halved.Options()))
    assert sampler.levels().tolist() == [1, 0.25, 0]
    _, (sigma, now, _) = sampler.iterate_levels(noise(1, 1, 2))
    alpha, beta = SHIFTED.weights(torch.tensor(0.25, dtype=torch.float64))
    assert (sigma.item(), now) == (0.25, mk.NoiseLevel(0.25, alpha.item(), beta.item()))


def test_levels_are_real_numbers_even_where_only_shapes_are_made():
    with torch.device("meta"):
        assert still(4).levels().tolist() == [1, 0.75, 0.5, 0.25, 0]


def test_a_sampler_need_not_tell_its_levels():
    class Silent(Sampler):
        def sample(self, velocity, noise, *, generator=None):
            return noise

    assert Silent(None, schedule=COSINE).levels().shape == (0,)


def test_fresh_noise_needs_a_source():
    with pytest.raises(mk.RequestError) as raised:
        still(1).fresh_noise(noise(1, 1, 4), None)
    assert str(raised.value) == "still with eta above 0 needs a source of noise; give a seed"


def test_fresh_noise_is_the_sources():
    x = noise(2, 1, 4)
    made = still(1).fresh_noise(x, mk.NoiseSource([1, 2]))
    assert torch.equal(made, mk.NoiseSource([1, 2]).like(x))


def test_a_spacing_is_no_part_of_the_mixture_that_is_told(build):
    spec = {"use": "ddim", "levels": {"use": "shifted-cosine", "shift": 2.0}}
    sampler = build(mk.Sampler, spec, schedule=COSINE)
    assert isinstance(sampler.spacing, ShiftedCosine)
    assert sampler.schedule is COSINE
