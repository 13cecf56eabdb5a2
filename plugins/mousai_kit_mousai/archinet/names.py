"""Names of tensors in a-unet, audio-diffusion-pytorch and audio-encoders-pytorch, beside ours.

Their modules are lists within lists (`net.block.blocks.3.blocks.0.block...`), so a name depends on
what stands before: the order is that of their constructors.
"""

from __future__ import annotations

from collections.abc import Iterator

import mousai_kit.api as mk
from mousai_kit_mousai.layers.conv_encoder import ConvEncoderOptions
from mousai_kit_mousai.unet_options import UNet1dOptions


def unet_pairs(options: UNet1dOptions, *, inside: str = "") -> Iterator[mk.NamePair]:
    """Yield the pairs of a U-Net, and of layers that it may have.

    `inside` is the way from the network with its noise level to the bare one: through
    classifier-free guidance, say.
    """
    outer = ""
    if options.transform is not None:
        yield mk.NamePair("transform.analysis.weight", "blocks.0.weight")
        yield mk.NamePair("transform.synthesis.weight", "blocks.1.weight")
        outer = "blocks.2."
    yield mk.NamePair("levels.frequencies", f"{outer}blocks.0.weights")
    yield from _affine("levels.enter", f"{outer}blocks.0.to_out")
    for repetition in range(2):  # one layer, applied and named twice
        yield from _affine("levels.mix", f"{outer}blocks.1.blocks.{repetition}.0")
    block = f"{outer}blocks.2.{inside}net."
    for depth in range(len(options.channels)):
        yield from _depth(options, depth, block)
        block += f"block.blocks.{1 + options.blocks[depth] * _layers(options, depth)}."


def encoder_pairs(options: ConvEncoderOptions) -> Iterator[mk.NamePair]:
    """Yield the pairs of a spectral encoder, and of layers that it may have."""
    yield from _encoder_block("pyramid.enter.", "to_in.block.")
    for floor, count in enumerate(options.blocks):
        ours, theirs = f"pyramid.floors.{floor}.", f"downsamples.{floor}."
        yield from _affine(f"{ours}shorten", f"{theirs}downsample")
        for index in range(count):
            yield from _encoder_block(f"{ours}blocks.{index}.", f"{theirs}blocks.{index}.")
    yield from _affine("pyramid.leave", "to_out")


def _depth(options: UNet1dOptions, depth: int, theirs: str) -> Iterator[mk.NamePair]:
    """Yield the pairs of one depth: their block, without the block within."""
    ours, items, layers = f"depths.{depth}.", options.blocks[depth], _layers(options, depth)
    innermost = depth == len(options.channels) - 1
    up = 1 + items * layers + (not innermost)
    yield from _affine(f"{ours}enter", f"{theirs}block.blocks.0.block")
    for item in range(items):
        for way, start in (("items_down", 1), ("items_up", up)):
            yield from _item(options, depth, f"{ours}{way}.{item}.", theirs, start + item * layers)
    yield from _affine(
        f"{ours}leave.convolution", f"{theirs}block.blocks.{up + items * layers}.block.1"
    )
    yield from _affine(f"{ours}skip.adapter", f"{theirs}skip_adapter.block")
    if options.skip == "modulated":
        yield from _affine(f"{ours}skip.scale", f"{theirs}skip.blocks.0.1")
    else:
        yield from _affine(f"{ours}skip.mix", f"{theirs}skip.blocks.0")


def _item(
    options: UNet1dOptions, depth: int, ours: str, theirs: str, start: int
) -> Iterator[mk.NamePair]:
    """Yield the pairs of one of our items: as many of theirs as it has layers, from `start` on."""
    resnet = f"{theirs}block.blocks.{start}.block.blocks.0.blocks."
    for index, half in enumerate(("first", "second")):
        yield from _affine(f"{ours}resnet.{half}.norm", f"{resnet}{index}.0")
        yield from _affine(f"{ours}resnet.{half}.convolution", f"{resnet}{index}.2")
    modulation = f"{theirs}block.blocks.{start + 1}.blocks.0.block.blocks.0.1"
    yield from _affine(f"{ours}layers.0.scale_shift", modulation)
    injections = options.at("context_injections", depth)
    if injections:
        mix = f"{theirs}block.blocks.{start + 2}.block.blocks.0"
        yield mk.NamePair(f"{ours}layers.1.mix.weight", f"{mix}.weight", conv1x1=True)
        yield mk.NamePair(f"{ours}layers.1.mix.bias", f"{mix}.bias")
    for layer in range(1 + injections, _layers(options, depth) - 1):
        attention = f"{theirs}block.blocks.{start + 1 + layer}.blocks.0.block."
        yield from _attention(f"{ours}layers.{layer}.", attention)


def _attention(ours: str, theirs: str) -> Iterator[mk.NamePair]:
    yield from _affine(f"{ours}norm", f"{theirs}norm")
    yield from _affine(f"{ours}norm_memory", f"{theirs}norm_context")
    yield mk.NamePair(f"{ours}queries.weight", f"{theirs}to_q.weight")
    yield mk.NamePair(f"{ours}keys_values.weight", f"{theirs}to_kv.weight")
    yield mk.NamePair(f"{ours}leave.weight", f"{theirs}attention.blocks.0.weight")


def _encoder_block(ours: str, theirs: str) -> Iterator[mk.NamePair]:
    for half, block in (("first", "block1"), ("second", "block2")):
        yield from _affine(f"{ours}{half}.norm", f"{theirs}{block}.groupnorm")
        yield from _affine(f"{ours}{half}.convolution", f"{theirs}{block}.project")
    yield from _affine(f"{ours}adapter", f"{theirs}to_out")


def _layers(options: UNet1dOptions, depth: int) -> int:
    """Return how many of their items are one of ours: ResNet, modulation, and what is asked for."""
    attentions = options.at("attentions", depth) + options.at("cross_attentions", depth)
    return 2 + options.at("context_injections", depth) + attentions


def _affine(ours: str, theirs: str) -> Iterator[mk.NamePair]:
    for part in ("weight", "bias"):
        yield mk.NamePair(f"{ours}.{part}", f"{theirs}.{part}")
