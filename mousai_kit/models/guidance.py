"""Classifier-free guidance over a velocity (Ho & Salimans, 2022), and a blend of two texts.

Legend: b clips, c channels, t frames, n tokens, d features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import pi

import torch
from torch import Tensor

from mousai_kit.core.interfaces import Controls, JumpVelocity, TextEmbedding, UNet, Velocity

ROUNDING = 1e-6
"""How far beyond an interval's end a level may be, and still count as inside."""


class ClassifierFreeGuidance:
    """The velocity v_null + scale * (v_text - v_null), both halves evaluated in one batch.

    `null` [b, n, d] is the embedding that stands for no text, heard with `null_context`, or with
    the same context where there is none. The scale is a number, or one a clip, [b]; where it is the
    number 1, only the text's half runs. `levels` are those of the sampler, if it knows them (see
    `UNet.bind`). `controls` may say where it acts
    (Kynkaanniemi et al., 2024), how it goes over the levels (Wang et al., 2024), and how far the
    result's deviation is brought back to that of the text's half (Lin et al., 2024, section 3.4;
    here clip by clip, of the velocity). It takes a target where the network does.
    """

    def __init__(
        self,
        unet: UNet,
        text: TextEmbedding,
        null: TextEmbedding,
        *,
        scale: float | Tensor,
        context: Tensor | None = None,
        null_context: Tensor | None = None,
        levels: Tensor | None = None,
        controls: Controls | None = None,
    ) -> None:
        self.scale, self.controls = scale, controls or Controls()
        self._unet, self._text, self._null = unet, text, null
        self._context, self._null_context = context, null_context
        self._levels, self.jumps = levels, unet.jumps

    def __call__(self, x: Tensor, sigma: Tensor, target: Tensor | None = None) -> Tensor:
        """Return the guided v [b, c, t] for x [b, c, t], sigma [b] and, if any, target [b]."""
        scale = self._scale_at(sigma)
        if isinstance(scale, float) and scale == 1.0:
            return self._text_half(x, sigma, target)
        with_text, without = ask_twice(self._halves, x, sigma, target)
        guided = torch.lerp(without, with_text, scale if isinstance(scale, float) else scale.to(x))
        if rescale := self.controls.guidance_rescale:
            return guided * torch.lerp(torch.ones(()).to(x), _deviation(with_text, guided), rescale)
        return guided

    def _scale_at(self, sigma: Tensor) -> float | Tensor:
        """Return the scale at sigma [b]: one for all, or of each clip, [b, 1, 1]."""
        if isinstance(self.scale, Tensor):
            return self.scale.to(sigma)[:, None, None]
        low, high = self.controls.guidance_interval
        course = self.controls.guidance_schedule
        if self.scale == 1.0 or ((low, high) == (0.0, 1.0) and course == "constant"):
            return float(self.scale)
        inside = (sigma >= low - ROUNDING) & (sigma <= high + ROUNDING)
        if not inside.any():
            return 1.0
        done = ((high - sigma) / (high - low)).clamp(0, 1)
        scale = 1 + (self.scale - 1) * COURSES[course](done)
        return torch.where(inside, scale, 1.0)[:, None, None]

    @cached_property
    def _text_half(self) -> JumpVelocity:
        return JumpVelocity.of(self._unet.bind(self._context, self._text, levels=self._levels))

    @cached_property
    def _halves(self) -> JumpVelocity:
        own = self._context
        other = own if self._null_context is None else self._null_context
        twice = None if own is None or other is None else torch.cat([own, other])
        both = TextEmbedding.concatenate(self._text, self._null)
        return JumpVelocity.of(self._unet.bind(twice, both, levels=self._levels))


class Blend:
    """The velocity between those of two texts: of each frame, a share of the second's.

    `velocity` is bound to the first texts of b clips, then to the second ones: both run in one
    batch. The share is `at`, in [0, 1], in all frames; None: half a wave from 0 to 1 over
    `frames`, of which what is heard begins with frame `first`.
    """

    def __init__(
        self, velocity: Velocity, *, frames: int, at: float | None = None, first: int = 0
    ) -> None:
        self._velocity, self._frames, self._at = JumpVelocity.of(velocity), frames, at
        self._first = first
        self.jumps = self._velocity.jumps

    def __call__(self, x: Tensor, sigma: Tensor, target: Tensor | None = None) -> Tensor:
        """Return v [b, c, t] for x [b, c, t], sigma [b] and, if any, target [b]."""
        first, second = ask_twice(self._velocity, x, sigma, target)
        return torch.lerp(first, second, self._shares(first))

    def _shares(self, v: Tensor) -> Tensor:
        """Return the second text's share in each frame of v [b, c, t]: [t]."""
        if self._at is not None:
            return v.new_full((v.shape[-1],), self._at)
        place = torch.arange(self._first, self._first + v.shape[-1]).to(v)
        done = place / max(1, self._frames - 1)
        return _cosine(done.clamp(max=1)) / 2


def ask_twice(
    velocity: JumpVelocity, x: Tensor, sigma: Tensor, target: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return what a velocity bound to two sets of conditioning says of each, in one batch."""
    target = None if target is None else torch.cat([target, target])
    first, second = velocity(torch.cat([x, x]), torch.cat([sigma, sigma]), target).chunk(2)
    return first, second


def _cosine(done: Tensor) -> Tensor:
    """Return half a wave from 0 to 2, 1 on average, for numbers in [0, 1]."""
    return 1 - (pi * done).cos()


COURSES: dict[str, Callable[[Tensor], Tensor]] = {
    "constant": torch.ones_like,
    "linear": lambda done: 2 * done,
    "cosine": _cosine,
}
"""How strong guidance is, for levels from the highest, 0, to the lowest, 1: 1 on average."""


def _deviation(wanted: Tensor, found: Tensor) -> Tensor:
    """Return by what to multiply found [b, c, t], so that its deviation is the wanted one's."""
    least = torch.finfo(found.dtype).tiny
    return _std(wanted) / _std(found).clamp(min=least)


def _std(v: Tensor) -> Tensor:
    return v.std((1, 2), correction=0, keepdim=True)
