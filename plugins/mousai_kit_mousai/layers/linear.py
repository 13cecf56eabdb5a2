"""Matrix products: linear layers over frames and convolutions over images (see `frames`).

Legend: b batch, t time in frames, c channels in, o channels out, k frames under the kernel.
"""

from __future__ import annotations

from torch import Tensor, nn

from mousai_kit_mousai.layers.packing import Packable


class Linear(Packable, nn.Linear):
    """Linear layer over frames."""

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """Map x [b, t, c] to [b, t, o], and add `plus` [b, t, o]."""
        return self.project(x, self._weights, plus, owned=(self.weight,))

    def _weights(self) -> tuple[Tensor, Tensor | None]:
        return self.weight, self.bias


class PatchEmbed(Packable, nn.Conv1d):
    """Convolution whose kernel takes the frames in patches: a linear layer over each patch."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(inputs, outputs, size, stride=size)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, t, c] to [b, t / size, o]."""
        size = self.kernel_size[0]
        patches = x.reshape(x.shape[0], x.shape[1] // size, size * x.shape[2])
        return self.project(patches, self._patch_weights, owned=(self.weight,))

    def _patch_weights(self) -> tuple[Tensor, Tensor | None]:
        """Return the weight [o, size * c] and the bias."""
        return self.weight.transpose(1, 2).flatten(1), self.bias


class Convolution(Packable, nn.Conv1d):
    """Convolution over images."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, padding=padding)
        self.edge, self.step = padding, stride

    def forward(self, image: Tensor, plus: Tensor | None = None) -> Tensor:
        """Map an image [b, c, 1, t] to [b, o, 1, t / stride], and add `plus` of that shape."""
        return self.convolve(
            image, self._weights, plus, padding=self.edge, stride=self.step, owned=(self.weight,)
        )

    def _weights(self) -> tuple[Tensor, Tensor | None]:
        return self.weight, self.bias
