"""T5's encoder as a network: a fresh one of any size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

import mousai_kit.api as mk

DISTANCES = 32
"""Groups of distances between tokens, each with a bias of its own."""


@dataclass(frozen=True, kw_only=True)
class T5Sizes:
    """What a T5 encoder is made of."""

    features: int
    layers: int
    heads: int
    feed_forward: int
    dropout: float
    vocabulary: int

    def network(self) -> nn.Module:
        """Return an encoder of random weights; its embeddings appear once in its state."""
        library = mk.transformers()
        config = library.T5Config(
            vocab_size=self.vocabulary,
            d_model=self.features,
            d_kv=self.features // self.heads,
            d_ff=self.feed_forward,
            num_layers=self.layers,
            num_heads=self.heads,
            dropout_rate=self.dropout,
            relative_attention_num_buckets=DISTANCES,
        )
        return library.T5EncoderModel(config).encoder


class T5Outline(nn.ModuleDict):
    """A T5 encoder's parameters by their names, for the meta device, where nothing is computed.

    transformers, which has the network itself, takes seconds to import.
    """

    def __init__(self, sizes: T5Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self["embed_tokens"] = nn.Embedding(sizes.vocabulary, sizes.features)
        self["block"] = nn.ModuleList(_block(sizes, number == 0) for number in range(sizes.layers))
        self["final_layer_norm"] = nn.RMSNorm(sizes.features)

    def network(self) -> nn.Module:
        """Return the network itself, of the same parameters: weights may have come since."""
        with torch.device("meta"):
            network = self.sizes.network()
        network.load_state_dict(self.state_dict(keep_vars=True), assign=True)
        return network.train(self.training)


def _block(sizes: T5Sizes, first: bool) -> nn.Module:
    linear = partial(nn.Linear, bias=False)
    attention = nn.ModuleDict({name: linear(sizes.features, sizes.features) for name in "qkvo"})
    if first:
        attention["relative_attention_bias"] = nn.Embedding(DISTANCES, sizes.heads)
    dense = nn.ModuleDict(
        {
            "wi": linear(sizes.features, sizes.feed_forward),
            "wo": linear(sizes.feed_forward, sizes.features),
        }
    )
    layers = [
        nn.ModuleDict({name: layer, "layer_norm": nn.RMSNorm(sizes.features)})
        for name, layer in (("SelfAttention", attention), ("DenseReluDense", dense))
    ]
    return nn.ModuleDict({"layer": nn.ModuleList(layers)})
