"""Classifier-free guidance over a velocity (Ho & Salimans, 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from mousai_kit.core.interfaces import JumpVelocity, TextEmbedding, UNet


class ClassifierFreeGuidance:
    """The velocity v_null + scale * (v_text - v_null), both halves evaluated in one batch.

    `null` [b, n, d] is the embedding that stands for no text, heard with `null_context`, or with
    the same context where there is none. At scale 1 only the text's half runs.
    `levels` are those of the sampler, if it knows them (see `UNet.bind`). It takes a target where
    the network does.
    """

    def __init__(
        self,
        unet: UNet,
        text: TextEmbedding,
        null: TextEmbedding,
        *,
        scale: float,
        context: Tensor | None = None,
        null_context: Tensor | None = None,
        levels: Tensor | None = None,
    ) -> None:
        self.scale = scale
        self._twice = scale != 1.0
        if self._twice:
            text = TextEmbedding.concatenate(text, null)
            other = context if null_context is None else null_context
            context = None if context is None or other is None else torch.cat([context, other])
        self._velocity = JumpVelocity.of(unet.bind(context, text, levels=levels))
        self.jumps = self._velocity.jumps

    def __call__(self, x: Tensor, sigma: Tensor, target: Tensor | None = None) -> Tensor:
        """Return the guided v [b, c, t] for x [b, c, t], sigma [b] and, if any, target [b]."""
        if not self._twice:
            return self._velocity(x, sigma, target)
        x, sigma = torch.cat([x, x]), torch.cat([sigma, sigma])
        target = None if target is None else torch.cat([target, target])
        with_text, without = self._velocity(x, sigma, target).chunk(2)
        return torch.lerp(without, with_text, self.scale)
