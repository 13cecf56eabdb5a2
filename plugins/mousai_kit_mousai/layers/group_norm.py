"""Group norm over images, with a backward pass that is quick where channels are few.

Legend: b batch, c channels, t time in frames, n groups, s frames that are taken as one row.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo
from torch.autograd.function import once_differentiable

FEW = {torch.float32: 32, torch.bfloat16: 64}
"""Channels up to which torch 2.13's own backward pass is slower: up to 17 times at 8 channels."""
ROW = 128
"""Numbers in a row, or about so many: with fewer, a loop over rows costs more than its body."""


class GroupNorm(nn.GroupNorm):
    """Group norm over an image [b, c, 1, t] whose channels lie last."""

    def forward(self, image: Tensor) -> Tensor:
        """Map an image [b, c, 1, t] to one of its shape."""
        if not torch.is_grad_enabled():
            return super().forward(image)
        if _channels_lie_last(image) and self.num_channels <= FEW.get(image.dtype, 0):
            few = _uncompiled if torch.compiler.is_compiling() else _few_channels
            return few(image, self.weight, self.bias, self.num_groups, self.eps)
        if not image.requires_grad:
            # where channels lie last, torch 2.13's backward pass crashes without a gradient to give
            return super().forward(image.squeeze(2)).unsqueeze(2)
        return super().forward(image)


def _few_channels(
    image: Tensor, weight: Tensor, bias: Tensor, groups: int, epsilon: float
) -> Tensor:
    return _FewChannels.apply(image, weight, bias, groups, epsilon)


# Compiled by torch 2.13 it is slow. `torch.compiler.disable` would load the whole compiler at once,
# which takes seconds; this one, as torch's own `checkpoint` has it, waits until it is called.
_uncompiled = _disable_dynamo(_few_channels)


def _channels_lie_last(image: Tensor) -> bool:
    last = image.is_contiguous(memory_format=torch.channels_last)
    return last and image.device.type == "cpu"


class _FewChannels(torch.autograd.Function):
    """torch's group norm, and the gradient of y = weight * (x - mean) * rate + bias.

    With n numbers in a group, dx = rate * weight * dy + p * x + q, where
    p = rate^3 / n * (mean * sum(weight * dy) - sum(weight * dy * x)) and
    q = -p * mean - rate / n * sum(weight * dy), sums being over a group.
    """

    @staticmethod
    def forward(
        ctx: Any, image: Tensor, weight: Tensor, bias: Tensor, groups: int, epsilon: float
    ) -> Tensor:
        b, c, _, t = image.shape
        # Strides written anew: torch refuses a batch of one image whose stride over images is odd.
        image = _as_image(image.permute(0, 2, 3, 1).reshape(-1), image)
        y, mean, rate = torch.native_group_norm(image, weight, bias, b, c, t, groups, epsilon)
        ctx.save_for_backward(image, weight, mean.to(weight.dtype), rate.to(weight.dtype))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        image, weight, mean, rate = ctx.saved_tensors
        x, dy = _rows(image), _rows(dy)
        sums = [_sums(its_dy, its_x, len(weight)) for its_dy, its_x in zip(dy, x, strict=True)]
        total, product = (torch.stack(stats) for stats in zip(*sums, strict=True))  # [b, c] each
        width = len(weight) // mean.shape[1]
        means, rates = mean.repeat_interleave(width, 1), rate.repeat_interleave(width, 1)
        dx = None
        if ctx.needs_input_grad[0]:
            weighted, times_x = (
                (part * weight).unflatten(1, (-1, width)).sum(2) for part in (total, product)
            )
            count = width * image.shape[3]
            p = rate**3 / count * (mean * weighted - times_x)  # [b, n]
            q = -p * mean - rate / count * weighted
            p, q = p.repeat_interleave(width, 1), q.repeat_interleave(width, 1)
            dx = _as_image(_combine(dy, x, rates * weight, p, q), image)
        return dx, ((product - means * total) * rates).sum(0), total.sum(0), None, None


def _rows(image: Tensor) -> Tensor:
    """Return an image [b, c, 1, t] as rows [b, t / s, s * c], several frames in each."""
    b, c, _, t = image.shape
    together = max(1, ROW // c)
    while t % together:
        together -= 1
    return image.permute(0, 2, 3, 1).reshape(b, t // together, together * c)


def _as_image(rows: Tensor, like: Tensor) -> Tensor:
    """Return rows [b, t / s, s * c], or all in one, as an image of another's shape."""
    b, c, _, t = like.shape
    return rows.view(b, 1, t, c).permute(0, 3, 1, 2)


def _sums(dy: Tensor, x: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Return a clip's sums [c] of dy and of dy * x over time, both given in rows."""
    return _sum_over_time(dy, channels), _sum_over_time(dy * x, channels)


def _sum_over_time(rows: Tensor, channels: int) -> Tensor:
    exact = torch.promote_types(rows.dtype, torch.float32)
    return rows.sum(0, dtype=exact).view(-1, channels).sum(0)


def _combine(dy: Tensor, x: Tensor, factor: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return factor * dy + p * x + q in rows, factors [b, c]; clip by clip, as caches are small."""
    frames = x.shape[2] // factor.shape[1]
    result = torch.empty_like(x)
    factor, p, q = (item.repeat(1, frames).to(x.dtype) for item in (factor, p, q))
    for clip, made in enumerate(result):
        torch.addcmul(q[clip], dy[clip], factor[clip], out=made)
        made.addcmul_(x[clip], p[clip])
    return result
