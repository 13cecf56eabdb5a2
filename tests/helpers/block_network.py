"""A network that is its repeated blocks."""

from __future__ import annotations

from torch import nn

import mousai_kit.api as mk
from mousai_kit.models.blocks import wrap_blocks


class BlockNetwork(mk.UNet):
    """Calls one block after the other; those inside a block are repeated ones too."""

    def __init__(self, *blocks):
        nn.Module.__init__(self)
        self.blocks = nn.ModuleList(blocks)

    def repeated_blocks(self):
        own = type(self.blocks[0])
        return [it for it in self.modules() if isinstance(it, own)]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def run(block, x, **how):
    """Return what a block makes of x, wrapped as training may wrap it."""
    network = BlockNetwork(block)
    with wrap_blocks(network, **how):
        return network(x)
