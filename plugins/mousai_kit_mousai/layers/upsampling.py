"""The way up from one depth to the depth above. b batch, t time, c and o channels in and out."""

from __future__ import annotations

import torch
from torch import Tensor

from mousai_kit_mousai.layers.layout import as_frames, as_image
from mousai_kit_mousai.layers.linear import Convolution
from mousai_kit_mousai.layers.packing import Packable


class Upsampling(Packable):
    """Repeat every frame `factor` times, then convolve over three; computed without repeating.

    Of three neighbours among repeated frames at least two are equal. So the first copy of frame j
    becomes w0 x[j-1] + (w1 + w2) x[j], the last one of frame j - 1 becomes
    (w0 + w1) x[j-1] + w2 x[j], and those between become (w0 + w1 + w2) x[j]: one convolution over
    the two frames j - 1 and j yields all of them, already in their order.
    """

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        self.factor, self.outputs = factor, outputs
        self.convolution = Convolution(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, t, c] to [b, t * factor, o]."""
        image = as_image(x)
        if self.factor == 1:
            return as_frames(self.convolution(image))
        y = self.convolve(image, self._pair_weights, padding=1, owned=(self.convolution.weight,))
        copies = as_frames(y).reshape(x.shape[0], -1, self.outputs)
        return copies[:, 1 : 1 + x.shape[1] * self.factor]

    def _pair_weights(self) -> tuple[Tensor, Tensor]:
        """Return a weight [factor * o, c, 2] and a bias: last copy of j - 1, others of j."""
        before, middle, after = self.convolution.weight.unbind(2)
        last = torch.stack([before + middle, after], dim=1)
        first = torch.stack([before, middle + after], dim=1)
        within = torch.stack([torch.zeros_like(before), before + middle + after], dim=1)
        weight = torch.cat([last, first, *[within] * (self.factor - 2)]).transpose(1, 2)
        bias = self.convolution.bias
        assert bias is not None
        return weight, bias.repeat(self.factor)
