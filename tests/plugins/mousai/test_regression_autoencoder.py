"""The autoencoder that answers at once."""

import nano
import torch

import mousai_kit.api as mk
from mousai_kit.training.run import train_run

RECIPE = nano.RECIPE.replace("use: diffusion-autoencoder", "use: regression-autoencoder").replace(
    "      sampler: {use: ddim, steps: 2}\n", "      windows: [128, 256]\n"
)
REQUEST = mk.GenerationRequest(["low saw chord"], [3], 4000)


def test_it_stands_in_a_recipe_trains_and_plays(here):
    system = nano.system(text=RECIPE)
    train_run(system)
    cascade = system.load().cascade
    stage = cascade.stages["autoencoder"]
    assert (stage.name, stage.nfe) == ("regression-autoencoder", 1)
    made = cascade.generate_signal(REQUEST)
    assert made.shape == (1, 1, 4000)
    assert made.isfinite().all()


def test_the_seed_decides_on_latents_alone(here):
    stage = mk.Cascade.build(nano.recipe(text=RECIPE)).stages["autoencoder"]
    latents = torch.randn(1, stage.latent_space.channels, stage.latent_space.frames(4000))
    one, other = (
        stage.decode(latents, mk.GenerationRequest([""], [seed], 4000)) for seed in (1, 2)
    )
    assert torch.equal(one, other)


def test_its_loss_is_deaf_to_a_turned_phase(here):
    """A diffusion autoencoder's is not; this one hears magnitudes alone."""
    stage = mk.Cascade.build(nano.recipe(text=RECIPE)).stages["autoencoder"]
    wave = torch.randn(2, 1, 2048, generator=torch.Generator().manual_seed(0)) * 0.3
    with torch.no_grad():
        losses = [stage.loss(it, ["", ""], noise=mk.NoiseSource([0, 1])) for it in (wave, -wave)]
    torch.testing.assert_close(*losses)
