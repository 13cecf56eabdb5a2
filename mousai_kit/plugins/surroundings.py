"""Surroundings: what a plug-in may not change for everyone else by being loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch


@contextmanager
def unchanged() -> Iterator[None]:
    """Leave the working folder and torch's settings as they were, whatever is done inside."""
    folder = _folder()
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    learns, threads = torch.is_grad_enabled(), torch.get_num_threads()
    try:
        yield
    finally:
        if folder is not None and _folder() != folder:
            with suppress(OSError):
                os.chdir(folder)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(learns)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def _folder() -> str | None:
    """Return the working folder, None where somebody has deleted it."""
    try:
        return os.getcwd()  # noqa: PTH109 (a text, as it is compared)
    except OSError:
        return None
