"""Samplers against the published recurrence, exact denoisers and their order of convergence."""

from itertools import pairwise
from math import log2

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mousai_kit.api as mk
from mousai_kit_mousai.samplers import DDIM, DPMSolverPlusPlus2M
from mousai_kit_mousai.schedules import Cosine, ShiftedCosine

COSINE = Cosine(Cosine.Options())
SHIFTED = ShiftedCosine(ShiftedCosine.Options(shift=3.0))
SCHEDULES = [COSINE, SHIFTED]
MEANS, DEVIATION = torch.tensor([-1.5, 0.5, 2.0], dtype=torch.float64), 0.2


class Middle(Cosine):
    """The cosine's middle, where no log signal-to-noise ratio is infinite."""

    def levels(self, steps):
        return torch.linspace(0.85, 0.15, steps + 1, dtype=torch.float64)


def ddim(steps, schedule=COSINE, eta=0.0):
    return DDIM(DDIM.Options(steps=steps, eta=eta), schedule=schedule)


def dpmpp(steps, schedule=COSINE):
    return DPMSolverPlusPlus2M(DPMSolverPlusPlus2M.Options(steps=steps), schedule=schedule)


def velocity_of(expected, schedule):
    """Return v for a denoiser: `expected` maps x and its weights to the mean clean signal."""

    def velocity(x, sigma):
        alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
        # With E[noise | x] = (x - alpha * signal) / beta, v = (alpha * x - signal) / beta.
        return (alpha * x - expected(x, alpha, beta)) / beta

    return velocity


def point(data, schedule):
    return velocity_of(lambda x, alpha, beta: data.expand_as(x), schedule)


def gaussian(mean, deviation, schedule):
    """Return v for independent numbers of one mean and deviation."""

    def expected(x, alpha, beta):
        gain = alpha * deviation**2 / (alpha**2 * deviation**2 + beta**2)
        return mean + gain * (x - alpha * mean)

    return velocity_of(expected, schedule)


def mixture(schedule):
    """Return v for independent numbers around three means."""

    def expected(x, alpha, beta):
        means = MEANS.to(x)
        total = alpha**2 * DEVIATION**2 + beta**2
        away = x[..., None] - alpha[..., None] * means
        weights = (-away.square() / (2 * total[..., None])).softmax(-1)
        gain = alpha * DEVIATION**2 / total
        return (weights * (means + gain[..., None] * away)).sum(-1)

    return velocity_of(expected, schedule)


def noise(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def curved(x, sigma):
    """Return what no denoiser would: any function will do for a recurrence."""
    return (3 * x).sin() + sigma[:, None, None] * x.roll(1, -1)


def authors_sample(velocity, x, schedule, steps):
    """The v-sampler that the authors published, line by line."""
    sigmas = torch.linspace(1, 0, steps + 1).to(x)
    for now, later in pairwise(sigmas):
        a, s = schedule.weights(now)
        a_later, s_later = schedule.weights(later)
        v = velocity(x, now.expand(len(x)))
        x_pred = a * x - s * v
        n_pred = s * x + a * v
        x = a_later * x_pred + s_later * n_pred
    return x


class TestDDIM:
    @pytest.mark.parametrize("schedule", SCHEDULES)
    @pytest.mark.parametrize("steps", [1, 2, 3, 10])
    def test_without_fresh_noise_it_is_the_authors_sampler(self, schedule, steps):
        start = noise(2, 3, 5)
        torch.testing.assert_close(
            ddim(steps, schedule).sample(curved, start),
            authors_sample(curved, start, schedule, steps),
        )

    def test_a_single_step_returns_the_negated_velocity(self):
        start = noise(2, 3, 5)
        torch.testing.assert_close(
            ddim(1).sample(curved, start), -curved(start, torch.ones(2, dtype=torch.float64))
        )

    @pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
    def test_every_step_evaluates_once_at_its_level_for_each_clip(self, eta):
        seen = []

        def velocity(x, sigma):
            seen.append((x.shape, sigma.tolist()))
            return x

        ddim(4, eta=eta).sample(velocity, noise(2, 3, 5), generator=mk.NoiseSource([0, 1]))
        assert seen == [((2, 3, 5), [level] * 2) for level in (1, 0.75, 0.5, 0.25)]

    @pytest.mark.parametrize("schedule", SCHEDULES)
    @pytest.mark.parametrize("mean", [0.0, 0.7])
    def test_fresh_noise_keeps_the_variance_of_gaussian_data(self, schedule, mean):
        deviation = 0.5
        made = ddim(800, schedule, eta=1.0).sample(
            gaussian(mean, deviation, schedule),
            noise(1, 1, 10_000),
            generator=mk.NoiseSource([7]),
        )
        assert made.std().item() == pytest.approx(deviation, rel=0.03)
        assert made.mean().item() == pytest.approx(mean, abs=0.02)

    @pytest.mark.parametrize("eta", [0.4, 1.0])
    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_fresh_noise_is_as_much_as_published(self, schedule, eta):
        """Song et al., equation 16; where the data is 0, what is no fresh noise scales x."""
        (alpha, beta), (alpha_later, beta_later) = map(schedule.weights, schedule.levels(4)[1:3])
        fresh = eta * beta_later / beta * (1 - (alpha / alpha_later) ** 2).sqrt()
        kept = (beta_later**2 - fresh**2).sqrt()
        seen = []

        def velocity(x, sigma):
            seen.append(x)
            return point(torch.zeros(1, dtype=x.dtype), schedule)(x, sigma)

        ddim(4, schedule, eta).sample(velocity, noise(1, 1, 50_000), generator=mk.NoiseSource([3]))
        residue = seen[2] - kept / beta * seen[1]
        assert residue.std().item() == pytest.approx(fresh.item(), rel=0.02)
        assert (residue * seen[1]).mean().abs() < 0.02 * fresh

    def test_fresh_noise_is_the_same_for_a_seed_wherever_it_stands_in_a_batch(self):
        def made(*seeds):
            source = mk.NoiseSource(seeds)
            return ddim(4, eta=1.0).sample(curved, source.normal(2, 6), generator=source)

        assert torch.equal(made(5, 6), made(5, 6))
        assert torch.equal(made(5, 6).flip(0), made(6, 5))
        assert torch.equal(made(5, 6)[1:], made(6))
        assert not torch.equal(made(5), made(6))

    def test_fresh_noise_needs_a_source(self):
        with pytest.raises(mk.RequestError) as raised:
            ddim(3, eta=0.1).sample(curved, noise(1, 1, 4))
        assert str(raised.value) == ("ddim with eta above 0 needs a source of noise; give a seed")

    def test_without_fresh_noise_a_source_changes_nothing(self):
        start, source = noise(2, 1, 4), mk.NoiseSource([0, 1])
        made = ddim(3).sample(curved, start, generator=source)
        assert torch.equal(made, ddim(3).sample(curved, start))
        assert torch.equal(source.uniform(), mk.NoiseSource([0, 1]).uniform())

    @pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_single_precision_stays_finite(self, schedule, eta):
        for steps in (1, 2, 3, 50, 1000):
            made = ddim(steps, schedule, eta).sample(
                gaussian(0.0, 1.0, schedule),
                noise(1, 1, 8, dtype=torch.float32),
                generator=mk.NoiseSource([0]),
            )
            assert made.isfinite().all()


@pytest.mark.parametrize("make", [ddim, dpmpp])
@pytest.mark.parametrize("schedule", SCHEDULES)
class TestExactDenoisers:
    @pytest.mark.parametrize("steps", [1, 2, 7])
    def test_a_point_is_hit_exactly(self, make, schedule, steps):
        data = noise(1, 3, 5)
        made = make(steps, schedule).sample(point(data, schedule), noise(2, 3, 5))
        torch.testing.assert_close(made, data.expand(2, 3, 5))

    def test_noise_becomes_gaussian_data_of_the_right_mean_and_deviation(self, make, schedule):
        start = noise(1, 1, 500)
        made = make(300, schedule).sample(gaussian(0.7, 0.5, schedule), start)
        torch.testing.assert_close(made, 0.7 + 0.5 * start, atol=0.03, rtol=0)

    def test_noise_becomes_a_mixture_of_the_right_shares(self, make, schedule):
        made = make(100, schedule).sample(mixture(schedule), noise(1, 1, 3000)).flatten()
        away, nearest = (made[:, None] - MEANS).abs().min(1)
        shares = torch.bincount(nearest) / len(made)
        torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.05, rtol=0)
        assert away.square().mean().sqrt().item() == pytest.approx(DEVIATION, rel=0.15)

    def test_items_of_a_batch_do_not_mix(self, make, schedule):
        start = noise(3, 2, 4)
        made = make(5, schedule).sample(mixture(schedule), start)
        alone = torch.cat(
            [make(5, schedule).sample(mixture(schedule), it) for it in start.split(1)]
        )
        torch.testing.assert_close(made, alone)


@pytest.mark.parametrize("velocity", [gaussian(0.7, 0.5, COSINE), mixture(COSINE)])
@pytest.mark.parametrize(("make", "order"), [(ddim, 1), (dpmpp, 2)])
def test_the_error_falls_with_the_order_that_the_method_claims(make, order, velocity):
    start = noise(1, 1, 200)
    truth = dpmpp(1000, Middle(Cosine.Options())).sample(velocity, start)

    def error(steps):
        made = make(steps, Middle(Cosine.Options())).sample(velocity, start)
        return (made - truth).square().mean().sqrt().item()

    measured = log2(error(80) / error(160))
    assert measured == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("velocity", [gaussian(0.7, 0.5, COSINE), mixture(COSINE)])
def test_the_second_order_needs_fewer_steps_all_the_way_from_noise(velocity):
    start = noise(1, 1, 200)
    truth = ddim(1000).sample(velocity, start)
    first, second = (
        (make(20).sample(velocity, start) - truth).square().mean().sqrt() for make in (ddim, dpmpp)
    )
    assert second < first / 2


class TestDPMSolver:
    @given(st.integers(1, 100), st.sampled_from(SCHEDULES))
    def test_single_precision_stays_finite_for_any_steps(self, steps, schedule):
        start = noise(1, 1, 4, dtype=torch.float32)
        made = dpmpp(steps, schedule).sample(gaussian(0.0, 1.0, schedule), start)
        assert made.dtype == torch.float32
        assert made.isfinite().all()

    def test_pure_noise_may_have_a_signal_weight_below_zero_by_rounding(self):
        alpha, _ = COSINE.weights(torch.tensor(1.0))
        assert alpha < 0
        assert dpmpp(3).sample(curved, noise(1, 1, 4, dtype=torch.float32)).isfinite().all()

    @pytest.mark.parametrize("steps", [1, 2])
    def test_up_to_two_steps_it_is_ddim(self, steps):
        """Both ends are of first order: there the log signal-to-noise ratio is infinite."""
        start = noise(2, 1, 6, dtype=torch.float32)
        torch.testing.assert_close(
            dpmpp(steps).sample(curved, start), ddim(steps).sample(curved, start)
        )

    def test_every_step_evaluates_once_at_its_level_for_each_clip(self):
        seen = []

        def velocity(x, sigma):
            seen.append((x.shape, sigma.tolist()))
            return x

        dpmpp(4).sample(velocity, noise(2, 3, 5))
        assert seen == [((2, 3, 5), [level] * 2) for level in (1, 0.75, 0.5, 0.25)]


@pytest.mark.parametrize("make", [ddim, dpmpp])
def test_steps_are_told_for_progress_bars(make):
    assert make(13).steps == 13
