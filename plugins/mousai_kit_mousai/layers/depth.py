"""One depth of the U-Net, and the items it is made of. b batch, t time, c channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.attention import CrossAttention, SelfAttention
from mousai_kit_mousai.layers.conditions import Conditions
from mousai_kit_mousai.layers.injection import Injection
from mousai_kit_mousai.layers.modulation import Modulation
from mousai_kit_mousai.layers.products import Patches
from mousai_kit_mousai.layers.resnet import ResNetBlock
from mousai_kit_mousai.layers.skips import ConcatenatedSkip, ModulatedSkip
from mousai_kit_mousai.layers.upsampling import Upsampling

SkipKind = Literal["modulated", "concatenated"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What every item of a depth is made of; see the options of `unet1d`."""

    channels: int
    context_channels: int
    attentions: int
    cross_attentions: int
    heads: int
    head_features: int
    text_features: int
    modulation_features: int
    groups: int


class Depth(nn.Module):
    """Shorten the sequence, pass it through items, and, after the depths below, the way back."""

    def __init__(
        self,
        layout: Layout,
        *,
        inputs: int,
        outputs: int,
        factor: int,
        items: int,
        skip: SkipKind | None,
    ) -> None:
        super().__init__()
        self.enter = Patches(inputs, layout.channels, factor)
        self.items_down = nn.ModuleList(Item(layout) for _ in range(items))
        self.items_up = nn.ModuleList(Item(layout) for _ in range(items))
        self.leave = Upsampling(layout.channels, outputs, factor)
        self.skip: ModulatedSkip | ConcatenatedSkip | None = None
        if skip == "modulated":
            self.skip = ModulatedSkip(inputs, outputs, layout.modulation_features)
        elif skip == "concatenated":
            self.skip = ConcatenatedSkip(inputs, outputs)

    def down(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, inputs] to [b, t / factor, c]."""
        x = self.enter(x, conditions.fixed.packing)
        for item in self.items_down:
            x = mk.repeated(item, x, conditions)
        return x

    def up(self, before: Tensor, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t / factor, c], and what `down` was given, to [b, t, outputs]."""
        for item in self.items_up:
            x = mk.repeated(item, x, conditions)
        after: Tensor = self.leave(x, conditions.fixed.packing)
        return after if self.skip is None else self.skip(before, after, conditions)


class Item(nn.Module):
    """ResNet, modulation, and where the layout has them injection, self- and cross-attention."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.resnet = ResNetBlock(layout.channels, layout.channels, groups=layout.groups)
        self.layers = nn.ModuleList(_frame_layers(layout))

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        x = self.resnet(x, conditions.fixed.packing)
        for layer in self.layers:
            x = layer(x, conditions)
        return x


def _frame_layers(layout: Layout) -> list[nn.Module]:
    """Return the layers that work on frames [b, t, c], in order."""
    channels = layout.channels
    heads = {"heads": layout.heads, "head_features": layout.head_features}
    layers: list[nn.Module] = [Modulation(channels, layout.modulation_features)]
    if layout.context_channels:
        layers.append(Injection(channels, layout.context_channels))
    layers += [SelfAttention(channels, **heads) for _ in range(layout.attentions)]
    layers += [
        CrossAttention(channels, layout.text_features, **heads)
        for _ in range(layout.cross_attentions)
    ]
    return layers
