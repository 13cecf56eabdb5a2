"""`dpmpp-2m-sde` goes step for step where the scheduler of Stable Audio's pipeline goes.

Theirs counts in data + s * noise, ours in alpha * data + beta * noise: x = alpha * theirs.
"""

import pytest
import torch

import mousai_kit.api as mk
import mousai_kit.audio.torchaudio_compat  # noqa: F401  before diffusers imports torchaudio itself
from mousai_kit.core.component import Use
from mousai_kit_solvers.dpmpp import DPMSolverPlusPlus2MSDE

diffusers = pytest.importorskip("diffusers", reason="pip install -e '.[parity-diffusers]'")
pytest.importorskip("torchsde", reason="pip install -e '.[parity-diffusers]'")
SHAPE = (3, 17)


class TheirLevels(mk.Schedule):
    """The cosine schedule's mixtures at their levels, which begin below 1."""

    name = "their-levels"

    def weights(self, sigma):
        angle = sigma * (torch.pi / 2)
        return angle.cos(), angle.sin()

    def levels(self, steps):
        return sigmas(steps).double().atan() * 2 / torch.pi


def sigmas(steps):
    """Return their noise over signal, from 500 down to 0.3, and 0 at the end [steps + 1]."""
    scheduler = diffusers.CosineDPMSolverMultistepScheduler()
    scheduler.set_timesteps(steps)
    return scheduler.sigmas


def velocity(x, sigma):
    """Return what a network says that bends: no straight line, and it follows the level."""
    return torch.tanh(2 * x.roll(1, -1)) * (1 + sigma[:, None, None]) - 0.3 * x


def ours(steps):
    """Return all x [steps + 1] on our way."""
    options = DPMSolverPlusPlus2MSDE.Options(
        steps=steps, levels=Use(TheirLevels, TheirLevels.Options())
    )
    sampler = DPMSolverPlusPlus2MSDE(options, schedule=TheirLevels(TheirLevels.Options()))
    seen = []

    def asked(x, sigma):
        seen.append(x)
        return velocity(x, sigma)

    noise = mk.NoiseSource([5])
    made = sampler.sample(asked, noise.normal(*SHAPE), generator=noise)
    return [*seen, made]


def theirs(steps, monkeypatch):
    """Return all x on their way, in our terms."""
    noise = mk.NoiseSource([5])
    place = "diffusers.schedulers.scheduling_cosine_dpmsolver_multistep.BrownianTreeNoiseSampler"
    drawn = noise.normal(*SHAPE)
    monkeypatch.setattr(place, lambda *_, **__: lambda *_: noise.normal(*SHAPE))
    scheduler = diffusers.CosineDPMSolverMultistepScheduler()
    scheduler.set_timesteps(steps)
    x, seen = drawn * scheduler.init_noise_sigma, []
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)
        seen.append(scaled)
        x = scheduler.step(velocity(scaled, t[None]), t, x).prev_sample
    return [*seen, x]


@pytest.mark.parametrize("steps", [2, 3, 10, 40])
def test_every_step_is_theirs(steps, monkeypatch):
    worst = 0.0
    expected = theirs(steps, monkeypatch)
    made = ours(steps)
    assert len(made) == len(expected) == steps + 1
    for one, other in zip(made, expected, strict=True):
        worst = max(worst, ((one - other).abs().max() / other.abs().max()).item())
    print(f"error {worst:.1e}")
    assert worst < 1e-5


def test_the_levels_of_the_recipe_are_theirs_but_for_pure_noise_first():
    from mousai_kit_solvers.spacings import UniformLogSNR

    found = UniformLogSNR(UniformLogSNR.Options(lowest=-6.2146, highest=1.204)).levels(100)
    expected = sigmas(100).double().atan() * 2 / torch.pi
    assert (found[0], expected[0]) == (1.0, pytest.approx(0.99873, abs=1e-5))
    torch.testing.assert_close(found[1:], expected[1:], atol=1e-5, rtol=0)
