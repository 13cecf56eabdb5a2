"""A recipe of Stable Audio's parts at the smallest size, and its weights in a folder as theirs."""

from __future__ import annotations

from pathlib import Path

import nano
import torch
from safetensors.torch import save_file

from mousai_kit.models.cascade import Cascade
from mousai_kit.runs.import_weights import find_format, resolve_layouts
from mousai_kit.runs.weight_matching import to_theirs

STRIDE, FRAMES, LATENTS, FEATURES = 16, 40, 6, 32
"""Samples a latent, latents of a clip, their channels, and features of a text's token."""
OOBLECK = "channels: 12, multipliers: [1, 2], factors: [2, 8]"
RECIPE = f"""\
version: 1
name: small
device: cpu
audio: {{sample_rate: 8000, channels: 2}}
data: {{use: tones, tracks: 4, held_out: 2}}
stages:
  autoencoder:
    model:
      use: variational-autoencoder
      encoder: {{use: oobleck, {OOBLECK}, latent_channels: 12, bottleneck: none}}
      decoder: {{{OOBLECK}}}
      windows: [64, 256]
    train: {{steps: 2, batch: 2, length: 2048, workers: 0, validate_every: 2, checkpoint_every: 2}}
  generator:
    model:
      use: text-to-latent
      text: {{use: t5, features: {FEATURES}, tokens: 16}}
      unet: {{use: stable-audio-dit, depth: 2, heads: 4, head_features: 8, shared_heads: 2,
             told_features: 24, level_features: 16}}
      conditioners: {{timing: {{use: stable-audio-timing, frequencies: 128}}}}
      always_told: [timing]
      without_text: masked
      sampler: {{use: dpmpp-2m-sde, steps: 10,
                levels: {{use: uniform-log-snr, lowest: -6.2146, highest: 1.204}}}}
    train: {{steps: 2, batch: 2, length: 4096, workers: 0, passes: 2, validate_every: 2,
            checkpoint_every: 2}}
generate: {{prompts: [], seconds: 0.08}}
evaluate: {{metrics: [log-mel-distance], clips: 2, seconds: 0.5}}
"""
STAGES = ("autoencoder", "generator")


def recipe(*overrides):
    return nano.recipe(*overrides, text=RECIPE, path="small.yaml")


def saved(folder="theirs", *overrides, seed=1):
    """Save random weights of both stages in a folder, under diffusers' names; return the folder."""
    found = recipe(f"seed={seed}", *overrides)
    torch.manual_seed(seed)
    stages = Cascade.build(found).stages
    for name, stage in stages.items():
        for parameter in stage.parameters():  # a new network's branches add nothing
            parameter.data.add_(0.1 * torch.randn(parameter.shape))
        names = resolve_layouts("stable-audio", found, name)[0][0]
        theirs = to_theirs(names, stage.state_dict())
        files = find_format("stable-audio").files(found.stages[name].model)
        for file, prefix in files.items():
            Path(folder, file).parent.mkdir(parents=True, exist_ok=True)
            own = {key: it for key, it in theirs.items() if key.startswith(prefix)}
            tensors = {key.removeprefix(prefix): it.contiguous() for key, it in own.items()}
            save_file(tensors, Path(folder, file))
    return Path(folder)
