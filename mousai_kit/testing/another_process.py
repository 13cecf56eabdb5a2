"""What a component would be in another process, where Python's `hash` of a text is another."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import pytest

from mousai_kit.component import Component

MEANT = (
    "words mean something else in the next process, where Python's hash() of a text is another; "
    "use zlib.crc32 or hashlib"
)


@contextmanager
def another_process(component: type[Component]) -> Iterator[None]:
    """Let `hash` in the modules of a component's package be what another process may have."""
    package = component.__module__.partition(".")[0]
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name == package or name.startswith(f"{package}."):
                patch.setattr(module, "hash", salted, raising=False)
        patch.setattr(sys.modules[component.__module__], "hash", salted, raising=False)
        yield


def salted(it: Hashable) -> int:
    """Return a hash that is another for text, as with another PYTHONHASHSEED."""
    if isinstance(it, tuple):
        return hash(tuple(salted(part) for part in it))
    return hash((it, "another process")) if isinstance(it, str | bytes) else hash(it)
