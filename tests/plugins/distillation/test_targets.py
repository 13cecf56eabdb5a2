"""Targets of distillation: where a teacher's steps and own steps lead, against known velocities."""

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.core.component import Use
from mousai_kit.testing.fakes import SCHEDULES
from mousai_kit.testing.reference_velocities import carry, gaussian, noise, order, point
from mousai_kit_distillation.few_step import FewStep, grid_levels, turn
from mousai_kit_distillation.targets import add_noise, follow_own_steps, level_below, solve

SCHEDULE = SCHEDULES[0]
MEAN, DEVIATION = 0.7, 0.5


def clips(velocity, signal=None):
    return mk.Denoising(noise(3, 2, 5) if signal is None else signal, velocity, SCHEDULE)


def levels(*values):
    return torch.tensor(values, dtype=torch.float64)


class TestSolve:
    def test_steps_of_the_teacher_end_where_its_flow_does(self):
        x, now, later = noise(3, 1, 50), levels(1, 0.75, 0.4), levels(0.75, 0.25, 0)
        made = solve(clips(gaussian(MEAN, DEVIATION, SCHEDULE)), x, now, later, steps=60)
        for row, ends in enumerate(zip(now.tolist(), later.tolist(), strict=True)):
            expected = carry(x[row : row + 1], SCHEDULE, levels(MEAN), DEVIATION, ends=ends)
            torch.testing.assert_close(made[row : row + 1], expected, atol=5e-4, rtol=0)

    def test_it_is_of_second_order(self):
        velocity, start = gaussian(MEAN, DEVIATION, SCHEDULE), noise(1, 1, 50)
        truth = carry(start, SCHEDULE, levels(MEAN), DEVIATION)

        class Solver:
            def __init__(self, steps):
                self.steps = steps

            def sample(self, velocity, x):
                return solve(clips(velocity), x, levels(1), levels(0), steps=self.steps)

        assert order(Solver, velocity, start, truth) == pytest.approx(2, abs=0.2)

    def test_a_single_step_is_a_turn(self):
        x, now, later = noise(2, 2, 5), levels(0.9, 0.5), levels(0.6, 0.1)
        velocity = gaussian(MEAN, DEVIATION, SCHEDULE)
        made = solve(clips(velocity), x, now, later, steps=1)
        torch.testing.assert_close(made, turn(x, velocity(x, now), SCHEDULE, now, later))


class TestLevels:
    @pytest.mark.parametrize("highest", [1.0, 0.3])
    def test_the_level_below_is_the_next_of_the_grid(self, highest):
        now = highest * levels(1, 0.9, 0.75, 0.51, 0.5, 0.2, 0.01)
        expected = highest * levels(0.75, 0.75, 0.5, 0.5, 0.25, 0, 0)
        grid = grid_levels(4, "even", begins=highest).flip(0)
        torch.testing.assert_close(level_below(now, grid), expected)

    def test_noise_is_mixed_by_the_schedule(self):
        signal, white, now = noise(2, 1, 4), noise(2, 1, 4).flip(-1), levels(0.25, 1)
        made = add_noise(clips(None, signal), white, now)
        alpha, beta = SCHEDULE.weights(now)
        torch.testing.assert_close(made[0], alpha[0] * signal[0] + beta[0] * white[0])
        torch.testing.assert_close(made[1], white[1])


class TestOwnSteps:
    def follow(self, goals, steps=4):
        velocity, asked = gaussian(MEAN, DEVIATION, SCHEDULE), []

        def ask(rows, x, sigma):
            asked.append((list(rows), sigma.tolist()))
            return velocity(x, sigma)

        start, grid = noise(len(goals), 2, 5), grid_levels(steps, "even").flip(0)
        made = follow_own_steps(
            clips(velocity, start), start, torch.tensor(goals), grid=grid, ask=ask
        )
        return start, made, asked, velocity

    def test_they_are_those_of_sampling_down_to_each_clips_level(self):
        start, made, _, velocity = self.follow([4, 3, 2, 1])
        seen = []

        def spy(x, sigma):
            seen.append(x)
            return velocity(x, sigma)

        FewStep(FewStep.Options(steps=4, spacing="even"), schedule=SCHEDULE).sample(spy, start)
        for row in range(4):
            torch.testing.assert_close(made[row], seen[row][row])

    def test_only_clips_on_their_way_are_asked_about(self):
        _, _, asked, _ = self.follow([-1, 3, 1, 4])
        assert asked == [([1, 2], [1.0, 1.0]), ([2], [0.75]), ([2], [0.5])]


class TestFewStep:
    def levels(self, schedule, *, spacing="even", **options):
        sampler = FewStep(FewStep.Options(spacing=spacing, **options), schedule=schedule)
        assert sampler.steps == len(sampler.levels()) - 1
        return sampler.levels().tolist()

    def test_its_levels_are_even_or_nearer_at_both_ends(self):
        assert self.levels(SCHEDULE, steps=4) == [1, 0.75, 0.5, 0.25, 0]
        found = self.levels(SCHEDULE, steps=3, spacing="cosine")
        assert found == pytest.approx([1, 0.75, 0.25, 0])
        assert found[-1] == 0

    def test_with_less_noise_the_first_turn_leads_to_the_grid(self):
        found = self.levels(mk.Partway(SCHEDULE, 0.6), steps=4)
        assert [0.6 * level for level in found] == pytest.approx([0.6, 0.5, 0.25, 0])

    def test_a_level_of_the_grid_is_no_further_turn(self):
        found = self.levels(mk.Partway(SCHEDULE, 0.5), steps=4)
        assert [0.5 * level for level in found] == pytest.approx([0.5, 0.25, 0])

    def test_a_grid_that_begins_lower_has_all_its_steps_there(self):
        found = self.levels(mk.Partway(SCHEDULE, 0.3), steps=2, begins=0.3)
        assert found == pytest.approx([1, 0.5, 0])

    def test_data_that_is_known_is_hit_in_one_step(self):
        data = noise(1, 3, 5)
        sampler = Use(FewStep, FewStep.Options(steps=1)).build(schedule=SCHEDULE)
        made = sampler.sample(point(data, SCHEDULE), noise(2, 3, 5).flip(-1))
        torch.testing.assert_close(made, data.expand_as(made))
