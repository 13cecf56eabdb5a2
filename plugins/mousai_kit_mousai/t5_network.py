"""T5's encoder as a network: a fresh one of any size."""

from __future__ import annotations

from typing import Any

from torch import nn

import mousai_kit.api as mk


def fresh_network(
    *, features: int, layers: int, heads: int, feed_forward: int, dropout: float, vocabulary: int
) -> nn.Module:
    """Return a T5 encoder of random weights; its embeddings appear once in its state."""
    library = mk.transformers()
    config = library.T5Config(
        vocab_size=vocabulary,
        d_model=features,
        d_kv=features // heads,
        d_ff=feed_forward,
        num_layers=layers,
        num_heads=heads,
        dropout_rate=dropout,
    )
    network: Any = library.T5EncoderModel(config).encoder
    network._set_gradient_checkpointing(True, mk.repeated)  # where training asks for it
    return network
