"""One resolution level of the U-Net, and its blocks. b batch, t time, c channels."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from mousai_kit_mousai.layers.attention import CrossAttention, SelfAttention
from mousai_kit_mousai.layers.conditioning import Conditions
from mousai_kit_mousai.layers.context_injection import ContextEntry, ContextInjection
from mousai_kit_mousai.layers.linear import PatchEmbed
from mousai_kit_mousai.layers.modulation import Modulation
from mousai_kit_mousai.layers.resnet import ConcatenatedSkip, ModulatedSkip, ResNetBlock
from mousai_kit_mousai.layers.upsampling import Upsampling
from mousai_kit_mousai.unet_options import UNet1dOptions


class UNetLevel(nn.Module):
    """Shorten the sequence, pass it through items, and, after the depths below, the way back.

    With the gain head the surface has no skip of its own: v = g * x + r is one.
    """

    def __init__(
        self,
        options: UNet1dOptions,
        depth: int,
        *,
        inputs: int,
        outputs: int,
        context_channels: int,
        text_features: int,
    ) -> None:
        super().__init__()
        channels, factor = options.channels[depth], options.factors[depth]
        item = partial(Item, options, depth, context_channels, text_features)
        self.enter = PatchEmbed(inputs, channels, factor)
        self.hear: ContextEntry | None = None
        if options.context_at_input and depth == 0:
            self.hear = ContextEntry(channels, context_channels)
        self.items_down = nn.ModuleList(item() for _ in range(options.blocks[depth]))
        self.items_up = nn.ModuleList(item() for _ in range(options.blocks[depth]))
        self.leave = Upsampling(channels, outputs, factor)
        self.skip: ModulatedSkip | ConcatenatedSkip | None = None
        skip = options.skip if depth > 0 or options.head == "plain" else None
        if skip == "modulated":
            self.skip = ModulatedSkip(inputs, outputs, options.modulation_features)
        elif skip == "concatenated":
            self.skip = ConcatenatedSkip(inputs, outputs)

    def down(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, inputs] to [b, t / factor, c]."""
        x = self.enter(x)
        if self.hear is not None:
            x = self.hear(x, conditions)
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
    """ResNet, modulation, and where the options say so injection, self- and cross-attention."""

    def __init__(
        self, options: UNet1dOptions, depth: int, context_channels: int, text_features: int
    ) -> None:
        super().__init__()
        channels = options.channels[depth]
        heads = {"heads": options.attention_heads, "head_features": options.attention_features}
        self.resnet = ResNetBlock(channels, channels, groups=options.groups)
        self.layers = nn.ModuleList([Modulation(channels, options.modulation_features)])
        if options.at("context_injections", depth):
            self.layers.append(ContextInjection(channels, context_channels))
        for _ in range(options.at("attentions", depth)):
            self.layers.append(SelfAttention(channels, **heads))
        for _ in range(options.at("cross_attentions", depth)):
            self.layers.append(CrossAttention(channels, text_features, **heads))

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        x = self.resnet(x)
        for layer in self.layers:
            x = layer(x, conditions)
        return x
