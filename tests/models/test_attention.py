"""Attention: its two forms are one."""

import pytest
import torch

from mousai_kit.models.attention import attention


@pytest.mark.parametrize("masked", [False, True])
def test_attention_written_out_equals_the_fused_form(masked):
    generator = torch.Generator().manual_seed(1)
    queries, keys, values = torch.randn(3, 2, 4, 8, 16, generator=generator).bfloat16()
    visible = torch.tensor([True, False] * 4).expand(2, 1, 1, 8) if masked else None
    fused = attention(queries, keys, values, visible)
    written = attention(queries.requires_grad_(), keys, values, visible)
    torch.testing.assert_close(written, fused, rtol=0, atol=0.03)
