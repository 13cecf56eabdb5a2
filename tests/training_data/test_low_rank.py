"""Changes of weights, kept low-rank: the nearest of their rank, and all else as it was."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch

SCRIPT = Path(__file__).resolve().parents[2] / "training_data/low_rank.py"
SPEC = spec_from_file_location("low_rank", SCRIPT)
low_rank = module_from_spec(SPEC)
SPEC.loader.exec_module(low_rank)


def state(rank, **shapes):
    """Return the changes that a distilled stage of some rank has for weights of these shapes."""
    found = {}
    for key, (outputs, inputs) in shapes.items():
        found[f"change.up.{key}"] = torch.empty(outputs, rank)
        found[f"change.down.{key}"] = torch.empty(rank, inputs)
    return found


def test_a_change_of_the_rank_is_kept_as_it_is(capsys):
    change = torch.randn(8, 2) @ torch.randn(2, 6)
    given = {"change.whole.a": change, "change.whole.bias": torch.ones(3), "teacher.a": change + 1}
    wanted = state(2, a=(8, 6)) | {"change.whole.bias": torch.ones(3), "teacher.a": change}
    found = low_rank.shrink(given, wanted)
    assert found.keys() == wanted.keys()
    torch.testing.assert_close(found["change.up.a"] @ found["change.down.a"], change)
    assert torch.equal(found["change.whole.bias"], given["change.whole.bias"])
    assert torch.equal(found["teacher.a"], given["teacher.a"])
    assert capsys.readouterr().out == "kept of the changes' energy: 100.0 %\n"


def test_of_more_the_largest_part_is_kept(capsys):
    left, _ = torch.linalg.qr(torch.randn(5, 3))
    right, _ = torch.linalg.qr(torch.randn(4, 3))
    change = left @ torch.diag(torch.tensor([3.0, 2.0, 1.0])) @ right.T
    found = low_rank.shrink({"change.whole.a": change}, state(1, a=(5, 4)))
    product = found["change.up.a"] @ found["change.down.a"]
    torch.testing.assert_close(product, 3 * left[:, :1] @ right[:, :1].T)
    assert capsys.readouterr().out == "kept of the changes' energy: 64.3 %\n"  # 9 of 14


def test_a_convolution_is_shrunk_as_a_matrix():
    change = torch.einsum("o,ik->oik", torch.randn(5), torch.randn(4, 3))
    found = low_rank.shrink({"change.whole.a": change}, state(1, a=(5, 12)))
    product = found["change.up.a"] @ found["change.down.a"]
    torch.testing.assert_close(product.view(5, 4, 3), change)
