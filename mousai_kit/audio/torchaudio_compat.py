"""torchaudio, also where its compiled extension cannot load.

torchaudio 2.11 raises on import beside a CPU-only torch (its extension wants CUDA's libraries) and
beside a torch of another CUDA version. STFT, mel filters, resampling and Griffin-Lim are pure
PyTorch. So where the plain import fails, and only then, the extension is replaced by a stub that
says "not available", and the import is tried again. Use `from mousai_kit.audio.torchaudio_compat
import torchaudio`; import this before anything that imports torchaudio by itself, such as
transformers.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def import_torchaudio() -> ModuleType:
    """Return torchaudio, with a stub for its extension if it needs one."""
    try:
        return importlib.import_module("torchaudio")
    except (OSError, ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _stub()
        return importlib.import_module("torchaudio")


def _stub() -> ModuleType:
    """Return a stand-in for `torchaudio._extension` that offers nothing compiled."""
    stub: Any = ModuleType("torchaudio._extension")
    stub._IS_TORCHAUDIO_EXT_AVAILABLE = False
    stub._IS_ALIGN_AVAILABLE = False
    stub._check_cuda_version = lambda: None
    stub.fail_if_no_align = lambda function: function
    return stub


torchaudio: Any = import_torchaudio()
