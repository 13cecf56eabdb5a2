"""Windows: they cover all there is, and what they make is joined without a seam."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mousai_kit.models.overlap import SHARED, overlap_add, overlapping_windows, scale_range

WHOLE, LONGEST = st.integers(1, 5000), st.integers(1, 300)


@given(WHOLE, LONGEST)
def test_windows_cover_the_whole_and_no_more(whole, longest):
    found = overlapping_windows(whole, longest)
    assert (found[0].start, found[-1].stop) == (0, whole)
    assert len({len(it) for it in found}) == 1
    assert len(found[0]) <= max(2, longest)


@given(WHOLE, LONGEST)
def test_neighbours_share_an_eighth_or_little_more(whole, longest):
    found = overlapping_windows(whole, longest)
    for one, other in pairwise(found):
        shared = one.stop - other.start
        assert max(1, longest // SHARED) <= shared <= len(one) / 2
        assert one.start < other.start


@given(WHOLE, LONGEST)
def test_the_work_is_little_more_than_the_length(whole, longest):
    found = overlapping_windows(whole, longest)
    work, shared = sum(map(len, found)), max(1, max(2, longest) // SHARED)
    assert work < whole + (len(found) - 1) * shared + len(found)


@pytest.mark.parametrize("longest", [None, 10, 11, 10_000])
def test_what_fits_into_one_window_is_one(longest):
    assert overlapping_windows(10, longest) == [range(10)]


def test_a_window_in_finer_units_is_the_same_stretch():
    assert scale_range(range(3, 5), 4) == range(12, 20)


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 3))
def test_windows_of_one_signal_are_joined_to_that_signal(whole, longest, factor):
    signal = torch.arange(whole * factor).double().expand(2, -1)
    parts = [scale_range(it, factor) for it in overlapping_windows(whole, longest)]
    pieces = list(overlap_add(parts, (signal[..., it.start : it.stop] for it in parts)))
    torch.testing.assert_close(torch.cat(pieces, -1), signal, rtol=0, atol=1e-9)


def test_windows_that_differ_fade_into_each_other_in_the_middle():
    parts = [range(12), range(4, 16)]
    made = torch.cat([*overlap_add(parts, [torch.zeros(12), torch.ones(12)])])
    fade = [0.125, 0.375, 0.625, 0.875]
    assert made.tolist() == pytest.approx([0] * 6 + fade + [1] * 6)


def test_a_piece_is_heard_before_the_next_window_is_made():
    made = []

    def signals():
        for number in range(3):
            made.append(number)
            yield torch.zeros(8)

    for heard, _ in enumerate(overlap_add([range(8), range(6, 14), range(12, 20)], signals())):
        assert made == list(range(heard + 1))
