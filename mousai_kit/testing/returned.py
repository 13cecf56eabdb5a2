"""What a method returned: checked up front, so that each failure says what is wrong with it.

Legend: b batch, n tokens, d features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mousai_kit.interfaces import Text


def tensor(made: Any, rule: str) -> Tensor:
    """Return what a method made; fail with a rule where it is no tensor."""
    assert isinstance(made, Tensor), f"{rule} (got {type(made).__name__})"
    return made


def per_clip(made: Any, count: int, rule: str) -> Tensor:
    """Return what a method made; fail with a rule where it is not a number for each clip [b]."""
    shape = list(tensor(made, rule).shape)
    assert shape == [count], f"{rule} (got {shape} for {count} clips)"
    return made


def forwards_tensors(network: nn.Module, rule: str) -> nn.Module:
    """Return a network that fails with a rule where its `forward` returns no tensor."""

    def check(_: nn.Module, __: Any, made: Any) -> None:
        tensor(made, f"forward must return {rule}")

    network.register_forward_hook(check)
    return network


def forwards_texts(encoder: nn.Module) -> nn.Module:
    """Return a text encoder that fails with a rule where its `forward` returns no text."""
    encoder.register_forward_hook(_check_text)
    return encoder


def _check_text(_: nn.Module, given: tuple[Sequence[str]], made: Any) -> None:
    """Fail where what was made of prompts is no mk.Text, or its tensors don't fit each other."""
    rule = "forward must return mk.Text(embedding, mask)"
    assert isinstance(made, Text), f"{rule} (got {type(made).__name__})"
    embedding = tensor(made.embedding, f"{rule}, embedding a tensor [b, n, d]")
    mask = tensor(made.mask, f"{rule}, mask a tensor [b, n]")
    shapes = f"(got {list(embedding.shape)} and {list(mask.shape)} for {len(given[0])} prompts)"
    fits = embedding.ndim == 3 and embedding.shape[:2] == mask.shape
    assert fits and len(mask) == len(given[0]), (  # noqa: PT018 (one rule)
        f"{rule}, embedding [b, n, d] and mask [b, n] {shapes}"
    )
