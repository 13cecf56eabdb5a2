"""T5's encoder as a network: a fresh one of any size."""

from __future__ import annotations

from functools import partial

import torch
from pydantic import ValidationInfo, field_validator
from torch import nn

import mousai_kit.api as mk

DISTANCES = 32
"""Groups of distances between tokens, each with a bias of its own."""


class T5ScratchOptions(mk.Options):
    """Options of `text: t5-scratch`. A few thousand captions don't fill T5-base."""

    features: int = mk.Field(256, gt=0, description="size of an embedding (T5-base: 768)")
    layers: int = mk.Field(4, gt=0, description="layers (T5-base: 12)")
    heads: int = mk.Field(4, gt=0, description="attention heads; divides features (T5-base: 12)")
    feed_forward: int = mk.Field(1024, gt=0, description="inner features (T5-base: 3072)")
    dropout: float = mk.Field(
        0.0, ge=0, lt=1, description="dropout; 0 makes training repeatable (T5-base: 0.1)"
    )
    vocabulary: int = mk.Field(4096, ge=512, description="most tokens (T5-base: 32128)")
    tokens: int = mk.Field(64, ge=2, le=512, description="tokens a text is padded or cut to")

    @field_validator("heads")
    @classmethod
    def _divides(cls, heads: int, info: ValidationInfo) -> int:
        features = info.data.get("features", heads)
        if features % heads:
            raise ValueError(f"must divide features, {features} (got {heads})")
        return heads


def build_encoder(options: T5ScratchOptions) -> nn.Module:
    """Return an encoder of random weights; its embeddings appear once in its state."""
    library = mk.transformers()
    config = library.T5Config(
        vocab_size=options.vocabulary,
        d_model=options.features,
        d_kv=options.features // options.heads,
        d_ff=options.feed_forward,
        num_layers=options.layers,
        num_heads=options.heads,
        dropout_rate=options.dropout,
        relative_attention_num_buckets=DISTANCES,
    )
    return library.T5EncoderModel(config).encoder


class T5Outline(nn.ModuleDict):
    """A T5 encoder's parameters by their names, for the meta device, where nothing is computed.

    transformers, which has the network itself, takes seconds to import.
    """

    def __init__(self, options: T5ScratchOptions) -> None:
        super().__init__()
        self.options = options
        self["embed_tokens"] = nn.Embedding(options.vocabulary, options.features)
        blocks = (_block(options, first=layer == 0) for layer in range(options.layers))
        self["block"] = nn.ModuleList(blocks)
        self["final_layer_norm"] = nn.RMSNorm(options.features)

    def network(self) -> nn.Module:
        """Return the network itself, of the same parameters: weights may have come since."""
        with torch.device("meta"):
            network = build_encoder(self.options)
        network.load_state_dict(self.state_dict(keep_vars=True), assign=True)
        return network.train(self.training)


def _block(options: T5ScratchOptions, *, first: bool) -> nn.Module:
    features, inner, linear = options.features, options.feed_forward, partial(nn.Linear, bias=False)
    attention = nn.ModuleDict({name: linear(features, features) for name in "qkvo"})
    if first:
        attention["relative_attention_bias"] = nn.Embedding(DISTANCES, options.heads)
    dense = nn.ModuleDict({"wi": linear(features, inner), "wo": linear(inner, features)})
    layers = [
        nn.ModuleDict({name: layer, "layer_norm": nn.RMSNorm(features)})
        for name, layer in (("SelfAttention", attention), ("DenseReluDense", dense))
    ]
    return nn.ModuleDict({"layer": nn.ModuleList(layers)})
