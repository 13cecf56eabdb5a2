"""Index file: what was found in a large file, kept beside it, so that it is looked through once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT = "mousai-kit index 2"

Arrays = dict[str, npt.NDArray[Any]]


def load_index(path: Path, key: object) -> tuple[Arrays, Any] | None:
    """Return the arrays and the notes that were saved under this key; None where there are none.

    What is broken, or of another key, counts as none: the index is made anew.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            if (header.get("format"), header.get("key")) != (FORMAT, json.dumps(key)):
                return None
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
            return arrays, json.loads(header["notes"])
    except (OSError, SafetensorError, ValueError, KeyError):
        return None


def save(path: Path, key: object, arrays: Mapping[str, npt.NDArray[Any]], notes: object) -> str:
    """Write an index whole or not at all; return why it can't be written, empty if it was."""
    from safetensors.numpy import save as packed

    header = {"format": FORMAT, "key": json.dumps(key), "notes": json.dumps(notes)}
    compact = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(packed(compact, header))
        temporary.replace(path)
    except OSError as error:
        return str(error.strerror)
    finally:
        with suppress(OSError):
            temporary.unlink()
    return ""
