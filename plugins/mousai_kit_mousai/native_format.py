"""Our own names: what `export` writes, and the weights of any run, come in as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import mousai_kit.api as mk


class NativeFormat(mk.WeightFormat):
    """Our own names, in a safetensors file: another run's weights, or what was exported of them."""

    name = "safetensors"

    def faults(self, model: mk.Use[mk.Stage]) -> Iterable[tuple[Sequence[str | int], str]]:
        """Yield nothing: every stage has names of ours."""
        return ()

    def layouts(self, model: mk.Use[mk.Stage], stage: mk.Stage) -> Sequence[mk.TensorNames]:
        """Return the names of the stage's tensors, each its own."""
        return [mk.TensorNames([mk.NamePair(name, name) for name in stage.state_dict()])]
