"""The U-Net of Mousai's two networks (Schneider et al., 2023). b batch, c channels, t time."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.conditioning import Conditioning, Conditions, TextMemory
from mousai_kit_mousai.layers.modulation import NoiseEmbedding
from mousai_kit_mousai.layers.packing import PackableNetwork
from mousai_kit_mousai.layers.patch_transform import PatchTransform
from mousai_kit_mousai.layers.unet_level import Item, UNetLevel
from mousai_kit_mousai.unet_options import UNet1dOptions, check_wiring


class UNet1d(PackableNetwork, mk.UNet):
    """1-D U-Net of modulated ResNets, with attention, text and latent injection where asked."""

    name = "unet1d"
    Options = UNet1dOptions

    def __init__(
        self,
        options: UNet1dOptions,
        *,
        channels: int,
        context_channels: int = 0,
        text_features: int = 0,
    ) -> None:
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        check_wiring(options, context_channels, text_features)
        self.options = options
        self.levels = NoiseEmbedding(options.modulation_features)
        outputs = 2 * channels if options.head == "gain" else channels
        self.transform: PatchTransform | None = None
        filters = stride = 1
        if (transform := options.transform) is not None:
            filters, stride = transform.filters, transform.stride
            self.transform = PatchTransform(
                inputs=channels, outputs=outputs, **transform.model_dump()
            )
        inputs, outputs, depths = channels * filters, outputs * filters, list[UNetLevel]()
        for depth, width in enumerate(options.channels):
            level = UNetLevel(
                options,
                depth,
                inputs=inputs,
                outputs=outputs,
                context_channels=context_channels,
                text_features=text_features,
            )
            depths.append(level)
            inputs = outputs = width
        self.depths = nn.ModuleList(depths)
        self.downsampling = stride * prod(options.factors)
        if options.head == "gain":
            # v starts near 0, the best constant: in a domain of unit variance x says nothing of v
            with torch.no_grad():
                for parameter in depths[0].leave.parameters():
                    parameter.mul_(0.1)

    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        *,
        context: Tensor | None = None,
        text: mk.TextEmbedding | None = None,
    ) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t], of any length, and sigma [b]."""
        return self.bind(context, text)(x, sigma)

    def bind(
        self,
        context: Tensor | None = None,
        text: mk.TextEmbedding | None = None,
        *,
        levels: Tensor | None = None,
    ) -> mk.Velocity:
        """Return the velocity for fixed conditioning.

        The text's keys and values and the context at each depth's rate are worked out at the first
        call and kept. `levels` say that it is for sampling: on a CPU the modulation of all of them
        is worked out at once, and the weights are packed for its matrix units, but where blocks are
        compiled. Weights must not change while it is used, nor gradients be taken of more than one
        call.
        """
        self.check_conditioning(context, text)
        memory = None if text is None else TextMemory.of(text)
        as_they_are = torch.is_grad_enabled() or self.compiled or not self.on_cpu
        if levels is None or not len(levels) or as_they_are:
            return BoundUNet1d(self, Conditioning(context, memory))
        rows = {level: row for row, level in enumerate(levels.float().tolist())}
        conditioning = Conditioning(context, memory, rows, self._features(levels))
        return BoundUNet1d(self.pack(), conditioning)

    def repeated_blocks(self) -> list[nn.Module]:
        """Return the items of all depths."""
        return [module for module in self.modules() if isinstance(module, Item)]

    def velocity(self, x: Tensor, sigma: Tensor, conditioning: Conditioning) -> Tensor:
        """Return v [b, channels, t]; `bind` is the way to call this."""
        length = x.shape[2]
        padded = F.pad(x, (0, -length % self.downsampling))
        conditions = self._conditions(sigma, conditioning, length, padded.shape[2])
        packed = self.packing is not None  # packed layers choose the precision
        with mk.without_autocast(x.device) if packed else nullcontext():
            out = self._through_depths(padded, conditions)
        out = out[:, :, :length].to(x.dtype)
        if self.options.head == "plain":
            return out
        gain, rest = out.chunk(2, dim=1)
        return torch.addcmul(rest, gain, x)

    def _conditions(
        self, sigma: Tensor, conditioning: Conditioning, length: int, padded: int
    ) -> Conditions:
        """Return what the layers are told, of a level known beforehand without computing it."""
        if conditioning.levels:
            first, *others = set(sigma.tolist())
            row = None if others else conditioning.levels.get(first)
            if row is not None:
                return Conditions(None, row, conditioning, length, padded)
        return Conditions(self._features(sigma), 0, conditioning, length, padded)

    def _features(self, sigma: Tensor) -> Tensor:
        """Return the activated features [b, m] of noise levels [b], in the weights' precision."""
        with mk.without_autocast(sigma.device):
            return F.silu(self.levels(sigma.to(self.levels.mix.weight.dtype)))

    def _through_depths(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, channels, t], t a multiple of `downsampling`, to the network's output."""
        if self.transform is None:
            return self._frames(x.transpose(1, 2).contiguous(), conditions).transpose(1, 2)
        return self.transform.inverse(self._frames(self.transform(x), conditions))

    def _frames(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map frames [b, t, c] down all depths and up again."""
        before: list[Tensor] = []
        depths = cast("list[UNetLevel]", list(self.depths))
        for depth in depths:
            before.append(x)
            x = depth.down(x, conditions)
        for depth in reversed(depths):
            x = depth.up(before.pop(), x, conditions)
        return x


@dataclass(frozen=True, slots=True)
class BoundUNet1d:
    """A U-Net's velocity for fixed conditioning."""

    network: UNet1d
    conditioning: Conditioning

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t] and sigma [b]."""
        if torch.is_grad_enabled():
            return self.network.velocity(x, sigma, self.conditioning)
        with torch.inference_mode():  # spares each of a thousand small operations some bookkeeping
            v = self.network.velocity(x, sigma, self.conditioning)
        return v.clone()
