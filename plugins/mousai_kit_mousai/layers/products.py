"""Matrix products: linear layers over frames and convolutions over images (see `frames`).

Legend: b batch, t time in frames, c channels in, o channels out, k frames under the kernel.
"""

from __future__ import annotations

from collections.abc import Hashable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.packing import Packing, Weights


class Linear(nn.Linear):
    """Linear layer over frames."""

    def forward(
        self, x: Tensor, plus: Tensor | None = None, packing: Packing | None = None
    ) -> Tensor:
        """Map x [b, t, c] to [b, t, o], and add `plus` [b, t, o]."""
        return linear(self, x, _weights(self), plus, packing)


class Patches(nn.Conv1d):
    """Convolution whose kernel takes the frames in patches: a linear layer over each patch."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(inputs, outputs, size, stride=size)

    def forward(self, x: Tensor, packing: Packing | None = None) -> Tensor:
        """Map x [b, t, c] to [b, t / size, o]."""
        size = self.kernel_size[0]
        patches = x.reshape(x.shape[0], x.shape[1] // size, size * x.shape[2])
        weights = Weights(self._over_patch, (self.weight,))
        return linear(self, patches, weights, None, packing)

    def _over_patch(self) -> tuple[Tensor, Tensor | None]:
        """Return the weight [o, size * c] and the bias."""
        return self.weight.transpose(1, 2).flatten(1), self.bias


class Convolution(nn.Conv1d):
    """Convolution over images."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, padding=padding)
        self.edge, self.step = padding, stride

    def forward(
        self, image: Tensor, plus: Tensor | None = None, packing: Packing | None = None
    ) -> Tensor:
        """Map an image [b, c, 1, t] to [b, o, 1, t / stride], and add `plus` of that shape."""
        if packing is None:
            y = convolved(image, self.weight, self.bias, self.edge, self.step)
            return y if plus is None else y + plus
        return packing.convolution(
            self, image, _weights(self), plus, padding=self.edge, stride=self.step
        )


def _weights(layer: nn.Linear | nn.Conv1d) -> Weights:
    return Weights(lambda: (layer.weight, layer.bias), (layer.weight,))


def convolved(
    image: Tensor, weight: Tensor, bias: Tensor | None, padding: int, stride: int = 1
) -> Tensor:
    """Convolve an image [b, c, 1, t] with a weight [o, c, k]."""
    return F.conv2d(image, weight.unsqueeze(2), bias, (1, stride), (0, padding))


def linear(
    key: Hashable, x: Tensor, weights: Weights, plus: Tensor | None, packing: Packing | None
) -> Tensor:
    """Map x [b, t, c] to [b, t, o], and add `plus`; packed weights are kept under `key`."""
    if packing is not None:
        return packing.linear(key, x, weights, plus)
    weight, bias = weights.made()
    if plus is None:
        return F.linear(x, weight, bias)
    if bias is not None:
        return F.linear(x, weight, bias) + plus
    return torch.addmm(plus.flatten(0, 1), x.flatten(0, 1), weight.t()).view_as(plus)
