"""A recipe whose stages the authors' packages have too, and files of weights as theirs are."""

from __future__ import annotations

import nano
import torch

from mousai_kit.models.cascade import Cascade
from mousai_kit.runs.import_weights import resolve_layouts
from mousai_kit.runs.weight_matching import to_theirs

RECIPE = """\
version: 1
name: small
device: cpu
audio: {sample_rate: 8000, channels: 1}
data: {use: tones, tracks: 4, held_out: 2}
stages:
  autoencoder:
    model:
      use: diffusion-autoencoder
      encoder: {use: magnitude, channels: 16, multipliers: [1, 1], factors: [2], blocks: [1],
                n_fft: 63, hop_length: 16, latent_channels: 4}
      unet: {use: unet1d, transform: {filters: 8, window: 16, stride: 16}, channels: [16, 16],
             factors: [1, 2], blocks: [1, 1], context_injections: [0, 1], modulation_features: 16}
      sampler: {use: ddim, steps: 2}
    train: {steps: 2, batch: 2, length: 2048, workers: 0, validate_every: 2, checkpoint_every: 2}
  generator:
    model:
      use: text-to-latent
      text: {use: t5-scratch, features: 16, layers: 1, heads: 2, feed_forward: 16, vocabulary: 512,
             tokens: 16}
      unet: {use: unet1d, transform: null, channels: [16, 16], factors: [1, 2], blocks: [1, 1],
             cross_attentions: [1, 1], attention_heads: 2, attention_features: 8,
             modulation_features: 16, context_injections: []}
      sampler: {use: ddim, steps: 2}
    train: {steps: 2, batch: 2, length: 4096, workers: 0, passes: 2, validate_every: 2,
            checkpoint_every: 2}
generate: {prompts: [], seconds: 0.5}
evaluate: {metrics: [log-mel-distance], clips: 2, seconds: 0.5}
"""
T5 = "stages.generator.model.text={use: t5, features: 16, tokens: 16}"
"""The frozen text encoder that theirs has; nothing of it is loaded before it is asked."""


def recipe(*overrides):
    return nano.recipe(*overrides, text=RECIPE, path="small.yaml")


def state_dict(*overrides, stage="autoencoder", layout=0, seed=1):
    """Return random weights of a stage, under the authors' names."""
    found = recipe(f"seed={seed}", *overrides)
    names = resolve_layouts("archinet", found, stage)[0][layout]
    return to_theirs(names, Cascade.build(found).stages[stage].state_dict())


def saved(path="theirs.pt", state=None, **options):
    """Save such weights as a torch file; return its path."""
    torch.save(state_dict(**options) if state is None else state, path)
    return path
