"""The U-Net of Mousai's two networks (Schneider et al., 2023). b batch, c channels, t time."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.conditions import Conditioning, Conditions
from mousai_kit_mousai.layers.depth import Depth, Layout
from mousai_kit_mousai.layers.learned_transform import LearnedTransform
from mousai_kit_mousai.layers.memory import Memory
from mousai_kit_mousai.layers.modulation import NoiseLevelFeatures
from mousai_kit_mousai.layers.packable import Packable
from mousai_kit_mousai.unet_options import UNet1dOptions
from mousai_kit_mousai.unet_wiring import check_wiring


class UNet1d(Packable, mk.UNet):
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
        self.levels = NoiseLevelFeatures(options.modulation_features)
        outputs = 2 * channels if options.head == "gain" else channels
        self.transform = _transform(options, channels, outputs)
        filters = options.transform.filters if options.transform else 1
        depths = _depths(
            options, channels * filters, outputs * filters, context_channels, text_features
        )
        self.depths = nn.ModuleList(depths)
        stride = options.transform.stride if options.transform else 1
        self.downsampling = stride * prod(options.factors)
        if options.head == "gain":
            _start_near_zero(depths[0])

    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        *,
        context: Tensor | None = None,
        text: mk.Text | None = None,
    ) -> Tensor:
        """Return v [b, channels, t] for x [b, channels, t], of any length, and sigma [b]."""
        return self.bind(context, text)(x, sigma)

    def bind(
        self,
        context: Tensor | None = None,
        text: mk.Text | None = None,
        *,
        levels: Tensor | None = None,
    ) -> mk.Velocity:
        """Return the velocity for fixed conditioning.

        The text's keys and values and the context at each depth's rate are worked out at the first
        call and kept. `levels` say that it is for sampling: on a CPU the modulation of all of them
        is worked out at once, and the weights are packed for its matrix units. Weights must not
        change while it is used, nor gradients be taken of more than one call.
        """
        self.check_given(context, text)
        return BoundUNet1d(self, self._conditioning(context, text, levels))

    def _conditioning(
        self, context: Tensor | None, text: mk.Text | None, levels: Tensor | None
    ) -> Conditioning:
        memory = None if text is None else Memory.of(text)
        if levels is None or not len(levels) or torch.is_grad_enabled() or not self.on_cpu:
            return Conditioning(context, memory)
        rows = {level: row for row, level in enumerate(levels.float().tolist())}
        return Conditioning(context, memory, self.packing(), rows, self._features(levels))

    def velocity(self, x: Tensor, sigma: Tensor, conditioning: Conditioning) -> Tensor:
        """Return v [b, channels, t]; `bind` is the way to call this."""
        length = x.shape[2]
        padded = F.pad(x, (0, -length % self.downsampling))
        conditions = self._conditions(sigma, conditioning, length, padded.shape[2])
        if conditioning.packing is None:
            out = self._through_depths(padded, conditions)
        else:  # the packed layers choose the precision
            with _without_autocast(x.device):
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
        with _without_autocast(sigma.device):
            return F.silu(self.levels(sigma.to(self.levels.mix.weight.dtype)))

    def _through_depths(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, channels, t], t a multiple of `downsampling`, to the network's output."""
        packing = conditions.fixed.packing
        if self.transform is None:
            return self._frames(x.transpose(1, 2).contiguous(), conditions).transpose(1, 2)
        frames = self._frames(self.transform(x, packing), conditions)
        return self.transform.inverse(frames, packing)

    def _frames(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map frames [b, t, c] down all depths and up again."""
        before: list[Tensor] = []
        depths = cast("list[Depth]", list(self.depths))
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


def _without_autocast(device: torch.device) -> torch.autocast:
    """Return a context in which layers compute in the types that they are given."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type if known else "cpu", enabled=False)


def _transform(options: UNet1dOptions, channels: int, outputs: int) -> LearnedTransform | None:
    if options.transform is None:
        return None
    return LearnedTransform(
        inputs=channels,
        outputs=outputs,
        filters=options.transform.filters,
        window=options.transform.window,
        stride=options.transform.stride,
    )


def _depths(
    options: UNet1dOptions, inputs: int, outputs: int, context_channels: int, text_features: int
) -> list[Depth]:
    """Return the depths from the surface downwards.

    With the gain head the surface has no skip of its own: v = g * x + r is one.
    """
    depths = []
    for index, channels in enumerate(options.channels):
        layout = Layout(
            channels=channels,
            context_channels=context_channels * options.at("injections", index),
            attentions=options.at("attentions", index),
            cross_attentions=options.at("cross_attentions", index),
            heads=options.attention_heads,
            head_features=options.attention_features,
            text_features=text_features,
            modulation_features=options.modulation_features,
            groups=options.groups,
        )
        depth = Depth(
            layout,
            inputs=inputs,
            outputs=outputs,
            factor=options.factors[index],
            items=options.items[index],
            skip=None if options.head == "gain" and index == 0 else options.skip,
        )
        depths.append(depth)
        inputs = outputs = channels
    return depths


@torch.no_grad()
def _start_near_zero(surface: Depth) -> None:
    """Scale down what gives g and r, so that v starts near 0.

    In a domain of unit variance x says nothing of v on average, and 0 is the best constant.
    """
    for parameter in surface.leave.parameters():
        parameter.mul_(0.1)
