"""A map of frames that begins as a linear one, found in closed form.

Legend: b batch, n frames, c channels in, o channels out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.group_norm import GroupNorm
from mousai_kit_mousai.layers.layout import as_frames, as_image
from mousai_kit_mousai.layers.linear import Convolution
from mousai_kit_mousai.layers.resnet import ResNetBlock

RIDGE = 1e-4
"""What least squares add to the variance of inputs, which is about 1: what they hardly show gets no
large weights."""
FAINTEST = 1e-6
"""Share of the largest component's variance under which one is no more than rounding."""


class ResidualMap(nn.Module):
    """A linear map of each frame, plus a network that is 0 before training and looks around.

    The linear part can be `fit` to data at once: the network only has to learn what it misses.
    """

    def __init__(self, inputs: int, outputs: int, *, channels: int, blocks: int) -> None:
        super().__init__()
        self.linear = Convolution(inputs, outputs, 1)
        self.enter = Convolution(inputs, channels, 1)
        self.blocks = nn.ModuleList(
            ResNetBlock(channels, channels, groups=8) for _ in range(blocks)
        )
        self.norm = GroupNorm(8, channels)
        self.leave = Convolution(channels, outputs, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Map [b, inputs, n] to [b, outputs, n]."""
        image = as_image(x.transpose(1, 2).contiguous())
        inner = as_frames(self.enter(image))
        for block in self.blocks:
            inner = block(inner)
        seen = self.leave(F.silu(self.norm(as_image(inner))))
        return (self.linear(image) + seen).squeeze(2)

    @torch.no_grad()
    def fit(self, weight: Tensor, bias: Tensor) -> None:
        """Take a linear map of frames, weight [outputs, inputs] and bias [outputs]."""
        self.linear.weight.copy_(weight[..., None])
        assert self.linear.bias is not None
        self.linear.bias.copy_(bias)


def principal_components(frames: Tensor, count: int, importance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the map to the first principal components of frames [n, c], each of unit variance.

    As weight [count, c] and bias [count]. Errors of a feature count as its `importance` [c] says.
    Components that the frames do not have, being few or alike, are 0.
    """
    scale = importance.sqrt()
    mean = frames.mean(0)
    spread = (frames - mean) * scale
    values, vectors = torch.linalg.eigh(_in_double(spread.T @ spread / len(frames)))
    order = values.argsort(descending=True)[:count]
    variance = values[order]
    there = variance > variance.max().clamp(min=1e-12) * FAINTEST
    rows = torch.where(there, variance.clamp(min=1e-30).rsqrt(), 0.0)
    weight = (vectors[:, order] * rows).T.float().to(frames) * scale
    weight = F.pad(weight, (0, 0, 0, count - len(weight)))
    return weight, -(weight @ mean)


def least_squares(inputs: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the linear map of inputs [n, c] nearest to outputs [n, o]: weight [o, c], bias [o]."""
    mean, target = inputs.mean(0), outputs.mean(0)
    x, y = _in_double(inputs - mean), _in_double(outputs - target)
    ridge = torch.eye(x.shape[1], dtype=x.dtype, device=x.device) * (RIDGE * len(x))
    weight = torch.linalg.solve(x.T @ x + ridge, x.T @ y).T.float().to(inputs)
    return weight, target - weight @ mean


def _in_double(x: Tensor) -> Tensor:
    """Return x in double precision, on the CPU: not every accelerator has it."""
    return x.double() if x.is_meta else x.cpu().double()
