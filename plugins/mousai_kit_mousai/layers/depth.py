"""One depth of the U-Net, and the items it is made of. b batch, c channels, t time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mousai_kit_mousai.layers.attention import CrossAttention, SelfAttention
from mousai_kit_mousai.layers.conditions import Conditions
from mousai_kit_mousai.layers.injection import Injection
from mousai_kit_mousai.layers.modulation import Modulation
from mousai_kit_mousai.layers.resnet import ResNetBlock
from mousai_kit_mousai.layers.skips import ConcatenatedSkip, ModulatedSkip

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
        self.enter = nn.Conv1d(inputs, layout.channels, factor, stride=factor)
        self.items_down = nn.ModuleList(Item(layout) for _ in range(items))
        self.items_up = nn.ModuleList(Item(layout) for _ in range(items))
        self.leave = Upsampling(layout.channels, outputs, factor)
        self.skip: ModulatedSkip | ConcatenatedSkip | None = None
        if skip == "modulated":
            self.skip = ModulatedSkip(inputs, outputs, layout.modulation_features)
        elif skip == "concatenated":
            self.skip = ConcatenatedSkip(inputs, outputs)

    def down(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, inputs, t] to [b, c, t / factor]."""
        x = self.enter(x)
        for item in self.items_down:
            x = item(x, conditions)
        return x

    def up(self, before: Tensor, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, c, t / factor], and what `down` was given, to [b, outputs, t]."""
        for item in self.items_up:
            x = item(x, conditions)
        after: Tensor = self.leave(x)
        return after if self.skip is None else self.skip(before, after, conditions)


class Item(nn.Module):
    """ResNet, modulation, and where the layout has them injection, self- and cross-attention."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.resnet = ResNetBlock(layout.channels, layout.channels, groups=layout.groups)
        self.layers = nn.ModuleList(_frame_layers(layout))

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, c, t] to [b, c, t]."""
        frames = self.resnet(x).transpose(1, 2)
        for layer in self.layers:
            frames = layer(frames, conditions)
        return frames.transpose(1, 2)


class Upsampling(nn.Module):
    """Repeat every frame `factor` times, then convolve over three."""

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.convolution = nn.Conv1d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, inputs, t] to [b, outputs, t * factor]."""
        repeated = x[..., None].expand(-1, -1, -1, self.factor).flatten(2)
        return self.convolution(repeated)


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
