"""State: of a stage that starts from given weights, a checkpoint holds what is not among them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle


class LeftOut:
    """Parameters that are in no state dict of a module, nor asked for by one, until `end`.

    They are what the given weights have, and never change: whoever goes on from a state has them.
    """

    def __init__(self, module: nn.Module, names: Collection[str]) -> None:
        def drop(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
            for name in names:
                state.pop(prefix + name, None)

        def not_missed(module: nn.Module, incompatible: Any) -> None:
            missing = incompatible.missing_keys
            missing[:] = [name for name in missing if name not in names]

        self._handles: list[RemovableHandle] = [
            module.register_state_dict_post_hook(drop),
            module.register_load_state_dict_post_hook(not_missed),
        ]

    def end(self) -> None:
        """Let the state dict be whole again."""
        for handle in self._handles:
            handle.remove()
