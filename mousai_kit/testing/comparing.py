"""Comparing tensors, with the rule that is broken at the head of what pytest prints."""

from __future__ import annotations

import torch
from torch import Tensor


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
