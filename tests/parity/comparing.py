"""How near two results are, and the two models' losses and gradients for the same noise."""

from __future__ import annotations

import torch

import mousai_kit.api as mk

OUTPUTS = 1e-5
"""Largest relative error of latents, velocities, losses and samples, in float32."""
GRADIENTS = 1e-4
"""Largest relative error of a parameter's gradient."""
SEEDS = (11, 13)
PROMPTS = ("Egyptian Darbuka", "Drums, 2 of 4")
STEPS = 10
SAMPLER = {"use": "ddim", "steps": STEPS}
SCALE = 5.0
"""Guidance."""


def error(ours, theirs):
    """Return the relative error of ours, which has the same shape; `pytest -rP` shows it."""
    found = _relative(ours, theirs)
    print(f"error {found:.1e}")
    return found


def _relative(ours, theirs):
    assert ours.shape == theirs.shape
    return ((ours - theirs).norm() / theirs.norm()).item()


def losses(stage, model, signal, prompts, monkeypatch, **theirs):
    """Return our loss and the authors', for the same levels, noise and dropped texts.

    All randomness is what our stage draws from `SEEDS` while training.
    """
    ours = stage.loss(signal, prompts, noise=mk.NoiseSource(SEEDS)).mean()
    drawn = mk.NoiseSource(SEEDS)
    with monkeypatch.context() as patch:
        if stage.latent_space is None:
            dropped = drawn.uniform() < stage.text_dropout
            assert 0 < dropped.sum() < len(dropped)  # some of both
            patch.setattr("a_unet.blocks.rand_bool", lambda **_: dropped[:, None, None])
            theirs["embedding_mask_proba"] = stage.text_dropout
        levels = drawn.uniform()
        patch.setattr(model.diffusion, "sigma_distribution", lambda **_: levels)
        patch.setattr(torch, "randn_like", drawn.like)
        return ours, model(signal, **theirs)


@torch.no_grad()
def latents(stage, model, wave):
    """Return the latents of audio [b, c, t] that our autoencoder and the authors' make."""
    return stage.encode(wave), model.encode(wave)


@torch.no_grad()
def decoded(stage, model, wave):
    """Return what both autoencoders make of audio [b, c, t], from the same latents and noise."""
    latent = model.encode(wave)
    noise = mk.GenerationRequest(PROMPTS, SEEDS, 1).noise().normal(*wave.shape[1:])
    ours = stage.decode(latent, mk.GenerationRequest(["", ""], SEEDS, wave.shape[2]))
    return ours, model.sample(noise, channels=at_depth(model, latent), num_steps=STEPS)


@torch.no_grad()
def guided(stage, model, shape):
    """Return guided samples of a shape [c, t] that both generators make of the same noise."""
    noise = mk.GenerationRequest(PROMPTS, SEEDS, 1).noise().normal(*shape)
    embedding = stage.text(PROMPTS).embedding
    length = shape[1] * stage.input_space.stride
    ours = stage.decode(None, mk.GenerationRequest(PROMPTS, SEEDS, length, guidance=SCALE))
    sampled = model.sample(noise, embedding=embedding, embedding_scale=SCALE, num_steps=STEPS)
    return ours, sampled


def at_depth(model, latent):
    """Return a latent where a DiffusionAE of theirs hears it."""
    return [None] * model.inject_depth + [latent]


def worst_gradient(names, stage, model):
    """Return the largest relative error of a gradient, and the name of its parameter.

    The bias before a norm of one channel a group has none but rounding, and is left out.
    """
    own = dict(stage.named_parameters())
    other = dict(model.named_parameters(remove_duplicate=False))
    pairs = {pair.ours: other[pair.theirs] for pair in names.pairs if pair.theirs in other}
    assert pairs.keys() == own.keys()
    rounding = 1e-7 * max(it.grad.norm() for it in pairs.values())
    errors = []
    for name, reference in pairs.items():
        gradient, expected = own[name].grad.reshape(reference.shape), reference.grad
        nothing = max(gradient.norm(), expected.norm()) < rounding
        if not (nothing and name.endswith("first.convolution.bias")):
            errors.append((_relative(gradient, expected), name))
    worst = max(errors)
    print(f"gradient {worst[0]:.1e} {worst[1]}")
    return worst
