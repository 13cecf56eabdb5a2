"""Assertions that fail with the rule that is broken. b batch, n tokens, d features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mousai_kit.core.interfaces import TextEmbedding
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe, load_recipe
from mousai_kit.training.checks import check_run


def assert_alike(made: Tensor, expected: Tensor, rule: str, *, within: float = 1e-5) -> None:
    """Fail with a rule unless two tensors are equal but for rounding, as a share of the largest."""
    finite = torch.nan_to_num(expected.detach(), 0.0, 0.0, 0.0)
    largest = max(1.0, finite.abs().max().item()) if expected.numel() else 1.0
    torch.testing.assert_close(
        made, expected, rtol=0, atol=within * largest, msg=lambda found: f"{rule}\n{found}"
    )


def assert_differs(made: Tensor, other: Tensor, rule: str) -> None:
    """Fail with a rule where two tensors are equal but for rounding."""
    away = (made - other).abs().max().item()
    assert away > 1e-6 * made.abs().max().item(), rule


def assert_finite(made: Tensor, rule: str) -> None:
    """Fail with a rule where a number is infinite or none."""
    assert made.isfinite().all(), rule


def check_recipe(file: Path | str) -> Recipe:
    """Return a recipe that is valid, and whose parts fit together; RecipeError tells what is wrong.

    What it is made of must be installed.
    """
    recipe = load_recipe(file)
    check_run(recipe, Cascade.build(recipe, device="meta"))
    return recipe


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
    """Fail where prompts became no mk.TextEmbedding, or its tensors don't fit each other."""
    rule = "forward must return mk.TextEmbedding(embedding, mask)"
    assert isinstance(made, TextEmbedding), f"{rule} (got {type(made).__name__})"
    embedding = tensor(made.embedding, f"{rule}, embedding a tensor [b, n, d]")
    mask = tensor(made.mask, f"{rule}, mask a tensor [b, n]")
    shapes = f"(got {list(embedding.shape)} and {list(mask.shape)} for {len(given[0])} prompts)"
    fits = embedding.ndim == 3 and embedding.shape[:2] == mask.shape
    assert fits and len(mask) == len(given[0]), (  # noqa: PT018 (one rule)
        f"{rule}, embedding [b, n, d] and mask [b, n] {shapes}"
    )
