"""Stable Audio Open as diffusers lays it out: which tensor of ours is which of theirs.

A folder of theirs holds `vae` (AutoencoderOobleck), `transformer` (StableAudioDiTModel) and
`projection_model`, a `config.json` and a file of weights in each, besides a text encoder, which is
T5-base as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch

import mousai_kit.api as mk
from mousai_kit_stable_audio.autoencoder import VariationalAutoencoder
from mousai_kit_stable_audio.dit import StableAudioDiT
from mousai_kit_stable_audio.encoder import Oobleck
from mousai_kit_stable_audio.oobleck import OobleckOptions
from mousai_kit_stable_audio.timing import StableAudioTiming

Fault: TypeAlias = tuple[Sequence[str | int], str]
FILE = "diffusion_pytorch_model.safetensors"
"""What diffusers calls the weights in each of a pipeline's folders."""
TRANSFORMER, PROJECTION = "transformer.", "projection_model."
"""What names of a generator's two files are told apart by."""
UNITS = 3
"""Residual units of a depth."""


class StableAudio(mk.WeightFormat):
    """Stable Audio Open's published weights, in a folder or a model as diffusers lays it out."""

    name = "stable-audio"
    recipe = "stable-audio"

    def faults(self, model: mk.Use[mk.Stage]) -> Iterator[Fault]:
        """Yield (place, what is wrong) for each option that their networks do not have."""
        match model.options:
            case VariationalAutoencoder.Options() as options:
                yield from _autoencoder_faults(options)
            case _ if model.component.name == "text-to-latent":
                yield from _generator_faults(model.options)
            case _:
                told = "stable-audio knows 'variational-autoencoder' and 'text-to-latent' only"
                yield ("use",), told

    def files(self, model: mk.Use[mk.Stage]) -> Mapping[str, str]:
        """Return the files of a folder that hold a stage, and how their names are told apart."""
        if isinstance(model.options, VariationalAutoencoder.Options):
            return {f"vae/{FILE}": ""}
        return {f"transformer/{FILE}": TRANSFORMER, f"projection_model/{FILE}": PROJECTION}

    def layouts(self, model: mk.Use[mk.Stage], stage: mk.Stage) -> Sequence[mk.TensorNames]:
        """Return how they name the stage's tensors."""
        match model.options:
            case VariationalAutoencoder.Options() as options:
                encoder = options.encoder.options
                assert isinstance(encoder, Oobleck.Options)
                pairs = [*_encoder_pairs(encoder), *_decoder_pairs(options.decoder)]
                return [mk.TensorNames(pairs)]
            case _:
                return [_generator_names(model.options, stage)]


def _autoencoder_faults(options: VariationalAutoencoder.Options) -> Iterator[Fault]:
    """Yield what an AutoencoderOobleck can't be."""
    if options.adversary is not None:
        yield ("adversary",), "stable-audio has no adversary's weights; it must be null"
    encoder = options.encoder.options
    if not isinstance(encoder, Oobleck.Options):
        known = f"stable-audio has no '{options.encoder.component.name}'; it must be 'oobleck'"
        yield ("encoder",), known
        return
    if encoder.bottleneck != "none":
        yield ("encoder", "bottleneck"), "stable-audio has none; it must be 'none'"
    if encoder.latent_channels != encoder.channels:
        told = f"stable-audio's are as many as channels, {encoder.channels}"
        yield ("encoder", "latent_channels"), f"{told} (got {encoder.latent_channels})"
    for name in ("multipliers", "factors"):
        if (own := getattr(options.decoder, name)) != (other := getattr(encoder, name)):
            yield ("decoder", name), f"stable-audio's are the encoder's, {other} (got {own})"


def _generator_faults(options: Any) -> Iterator[Fault]:
    """Yield what a StableAudioDiTModel with its projection model can't be."""
    for place, known in (("unet", StableAudioDiT.name), ("schedule", "cosine"), ("text", "t5")):
        if (found := getattr(options, place).component.name) != known:
            yield (place,), f"stable-audio has no '{found}'; it must be '{known}'"
    if options.without_text != "masked":
        yield ("without_text",), "stable-audio learns no null embedding; it must be 'masked'"
    kinds = [use.component for use in options.conditioners.values()]
    if kinds != [StableAudioTiming]:
        told = f"stable-audio has one, '{StableAudioTiming.name}'"
        yield ("conditioners",), f"{told} (got {len(kinds)})" if len(kinds) != 1 else told


def _encoder_pairs(options: OobleckOptions) -> Iterator[mk.NamePair]:
    """Yield the pairs of an encoder: a list of layers here, nested modules there."""
    ours, theirs = "encoder.layers.", "encoder."
    yield from _convolution(f"{ours}0", f"{theirs}conv1")
    at = 1
    for depth in range(len(options.factors)):
        block = f"{theirs}block.{depth}."
        yield from _residual_units(ours, at, block)
        yield from _snake(f"{ours}{at + UNITS}", f"{block}snake1")
        yield from _convolution(f"{ours}{at + UNITS + 1}", f"{block}conv1")
        at += UNITS + 2
    yield from _snake(f"{ours}{at}", f"{theirs}snake1")
    yield from _convolution(f"{ours}{at + 1}", f"{theirs}conv2")


def _decoder_pairs(options: OobleckOptions) -> Iterator[mk.NamePair]:
    """Yield the pairs of a decoder."""
    ours = theirs = "decoder."
    yield from _convolution(f"{ours}0", f"{theirs}conv1")
    at = 1
    for depth in range(len(options.factors)):
        block = f"{theirs}block.{depth}."
        yield from _snake(f"{ours}{at}", f"{block}snake1")
        yield from _convolution(f"{ours}{at + 1}", f"{block}conv_t1")
        yield from _residual_units(ours, at + 2, block)
        at += UNITS + 2
    yield from _snake(f"{ours}{at}", f"{theirs}snake1")
    yield from _convolution(f"{ours}{at + 1}", f"{theirs}conv2", bias=False)


def _residual_units(ours: str, first: int, theirs: str) -> Iterator[mk.NamePair]:
    for number in range(UNITS):
        change, unit = f"{ours}{first + number}.change.", f"{theirs}res_unit{number + 1}."
        yield from _snake(f"{change}0", f"{unit}snake1")
        yield from _convolution(f"{change}1", f"{unit}conv1")
        yield from _snake(f"{change}2", f"{unit}snake2")
        yield from _convolution(f"{change}3", f"{unit}conv2")


def _snake(ours: str, theirs: str) -> Iterator[mk.NamePair]:
    for part in ("alpha", "beta"):
        yield mk.NamePair(f"{ours}.{part}", f"{theirs}.{part}")


def _convolution(ours: str, theirs: str, *, bias: bool = True) -> Iterator[mk.NamePair]:
    yield mk.NamePair(f"{ours}.weight.length", f"{theirs}.weight_g")
    yield mk.NamePair(f"{ours}.weight.direction", f"{theirs}.weight_v")
    if bias:
        yield mk.NamePair(f"{ours}.bias", f"{theirs}.bias")


def _generator_names(options: Any, stage: mk.Stage) -> mk.TensorNames:
    """Return how a transformer and a projection model name our generator."""
    (timing,) = options.conditioners
    channels = stage.input_space.channels
    pairs = [*_network_pairs(options.unet.options.depth), *_timing_pairs(timing)]
    with torch.device("cpu"):
        kept = {"mean": torch.zeros(channels, 1), "deviation": torch.ones(channels, 1)}
    return mk.TensorNames(pairs, defaults=kept)


def _network_pairs(depth: int) -> Iterator[mk.NamePair]:
    """Yield the pairs of the transformer."""
    ours, theirs = "unet.", TRANSFORMER
    yield mk.NamePair(f"{ours}level.frequencies", f"{theirs}time_proj.weight")
    for one, other in (("enter", "0"), ("leave", "2")):
        yield from _affine(f"{ours}level.{one}", f"{theirs}timestep_proj.{other}")
    for one, other in (("tell", "cross_attention_proj"), ("steer", "global_proj")):
        for layer in (0, 2):
            yield from _linear(f"{ours}{one}.{layer}", f"{theirs}{other}.{layer}")
    for one, other in (("before", "preprocess_conv"), ("after", "postprocess_conv")):
        pair = f"{ours}{one}.weight", f"{theirs}{other}.weight"
        yield mk.NamePair(*pair, conv1x1=True)
    for one, other in (("enter", "proj_in"), ("leave", "proj_out")):
        yield from _linear(f"{ours}{one}", f"{theirs}{other}")
    for number in range(depth):
        yield from _block(f"{ours}blocks.{number}.", f"{theirs}transformer_blocks.{number}.")


def _block(ours: str, theirs: str) -> Iterator[mk.NamePair]:
    for number, norm in enumerate(("norm", "norm_reading", "norm_thinking"), start=1):
        yield from _affine(f"{ours}{norm}", f"{theirs}norm{number}")
    for number, attention in enumerate(("attention", "reading"), start=1):
        for one, other in (
            *(("queries", "to_q"), ("keys", "to_k"), ("values", "to_v")),
            ("leave", "to_out.0"),
        ):
            yield from _linear(f"{ours}{attention}.{one}", f"{theirs}attn{number}.{other}")
    yield from _affine(f"{ours}think", f"{theirs}ff.net.0.proj")
    yield from _affine(f"{ours}conclude", f"{theirs}ff.net.2")


def _timing_pairs(name: str) -> Iterator[mk.NamePair]:
    """Yield the pairs of the projection model's two numbers."""
    for one, other in (("start", "start"), ("total", "end")):
        ours = f"conditioners.parts.{name}.{one}."
        theirs = f"{PROJECTION}{other}_number_conditioner.time_positional_embedding."
        yield mk.NamePair(f"{ours}frequencies", f"{theirs}0.weights")
        yield from _affine(f"{ours}leave", f"{theirs}1")


def _affine(ours: str, theirs: str) -> Iterator[mk.NamePair]:
    for part in ("weight", "bias"):
        yield mk.NamePair(f"{ours}.{part}", f"{theirs}.{part}")


def _linear(ours: str, theirs: str) -> Iterator[mk.NamePair]:
    yield mk.NamePair(f"{ours}.weight", f"{theirs}.weight")
