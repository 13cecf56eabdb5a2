"""Pieces of audio: read in any lengths, faded without a dip, limited without a step."""

import pytest
import torch

from mousai_kit.core.errors import MousaiError
from mousai_kit.generation.pieces import PieceReader, cross_fade, limit


@pytest.mark.parametrize("sizes", [[10], [3, 3, 4], [1] * 10])
def test_pieces_are_read_on_in_any_lengths(sizes):
    wave = torch.arange(10.0).expand(1, 1, 10)
    reader = PieceReader(iter(wave.split(sizes, -1)))
    reader.skip(2)
    assert reader.take(3).tolist() == [[[2, 3, 4]]]
    assert torch.cat([*reader.through(4)], -1).tolist() == [[[5, 6, 7, 8]]]
    assert reader.take(1).tolist() == [[[9]]]
    with pytest.raises(MousaiError, match="less audio"):
        reader.take(1)


def test_a_fade_keeps_the_loudness_of_what_is_alike_and_of_what_is_not():
    one, other = torch.randn(2, 1, 2, 4000, generator=torch.Generator().manual_seed(0))
    for before, after in ((one, other), (one, one)):
        faded = cross_fade(before, after)
        middle = faded[..., 1500:2500].square().mean().sqrt()
        assert middle.item() == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(cross_fade(one, one), one)


def test_a_fade_begins_with_one_and_ends_with_the_other():
    one, other = torch.ones(1, 1, 100), -torch.ones(1, 1, 100)
    faded = cross_fade(one, other)[0, 0]
    assert faded[0] == pytest.approx(1, abs=0.02)
    assert faded[-1] == pytest.approx(-1, abs=0.02)


def test_what_is_not_loud_is_not_limited_and_what_is_stays_below_1():
    wave = torch.linspace(-3, 3, 601)
    bent = limit(wave)
    quiet = wave.abs() <= 0.9
    assert torch.equal(bent[quiet], wave[quiet])
    assert bent.abs().max() <= 1
    assert (bent.diff() >= 0).all()
