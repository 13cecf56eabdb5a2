"""One resolution level of the U-Net, and its blocks. b batch, t time, c channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mousai_kit_mousai.layers.attention import CrossAttention, SelfAttention
from mousai_kit_mousai.layers.conditioning import Conditions
from mousai_kit_mousai.layers.context_injection import ContextInjection
from mousai_kit_mousai.layers.linear import PatchEmbed
from mousai_kit_mousai.layers.modulation import Modulation
from mousai_kit_mousai.layers.resnet import ConcatenatedSkip, ModulatedSkip, ResNetBlock
from mousai_kit_mousai.layers.upsampling import Upsampling

SkipKind = Literal["modulated", "concatenated"]


@dataclass(frozen=True, slots=True)
class LevelConfig:
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


class UNetLevel(nn.Module):
    """Shorten the sequence, pass it through items, and, after the depths below, the way back."""

    def __init__(
        self,
        config: LevelConfig,
        *,
        inputs: int,
        outputs: int,
        factor: int,
        items: int,
        skip: SkipKind | None,
    ) -> None:
        super().__init__()
        self.enter = PatchEmbed(inputs, config.channels, factor)
        self.items_down = nn.ModuleList(Item(config) for _ in range(items))
        self.items_up = nn.ModuleList(Item(config) for _ in range(items))
        self.leave = Upsampling(config.channels, outputs, factor)
        self.skip: ModulatedSkip | ConcatenatedSkip | None = None
        if skip == "modulated":
            self.skip = ModulatedSkip(inputs, outputs, config.modulation_features)
        elif skip == "concatenated":
            self.skip = ConcatenatedSkip(inputs, outputs)

    def down(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, inputs] to [b, t / factor, c]."""
        x = self.enter(x)
        for item in self.items_down:
            x = item(x, conditions)
        return x

    def up(self, before: Tensor, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t / factor, c], and what `down` was given, to [b, t, outputs]."""
        for item in self.items_up:
            x = item(x, conditions)
        after: Tensor = self.leave(x)
        return after if self.skip is None else self.skip(before, after, conditions)


class Item(nn.Module):
    """ResNet, modulation, and where the config has them injection, self- and cross-attention."""

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.resnet = ResNetBlock(config.channels, config.channels, groups=config.groups)
        self.layers = nn.ModuleList(_frame_layers(config))

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        x = self.resnet(x)
        for layer in self.layers:
            x = layer(x, conditions)
        return x


def _frame_layers(config: LevelConfig) -> list[nn.Module]:
    """Return the layers that work on frames [b, t, c], in order."""
    channels = config.channels
    heads = {"heads": config.heads, "head_features": config.head_features}
    layers: list[nn.Module] = [Modulation(channels, config.modulation_features)]
    if config.context_channels:
        layers.append(ContextInjection(channels, config.context_channels))
    layers += [SelfAttention(channels, **heads) for _ in range(config.attentions)]
    layers += [
        CrossAttention(channels, config.text_features, **heads)
        for _ in range(config.cross_attentions)
    ]
    return layers
