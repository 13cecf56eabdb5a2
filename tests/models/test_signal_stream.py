"""Signal streams: windows of what comes piece by piece, as of the whole, and nothing more held."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mousai_kit.api as mk

WHOLE = torch.arange(60.0).reshape(2, 3, 10)


def pieces(sizes, pulled=None):
    for number, piece in enumerate(WHOLE.split(sizes, -1)):
        if pulled is not None:
            pulled.append(number)
        yield piece


@given(st.lists(st.integers(1, 3), min_size=10), st.lists(st.integers(0, 9), min_size=1))
def test_windows_of_pieces_are_those_of_the_whole(sizes, starts):
    cut, left = [], 10
    for size in sizes:
        if left:
            cut.append(min(size, left))
            left -= cut[-1]
    stream = mk.SignalStream(pieces(cut))
    for start in sorted(starts):
        assert torch.equal(stream.read(start, start + 3), WHOLE[..., start : start + 3])


def test_a_window_beyond_the_end_repeats_the_last_frame():
    found = mk.SignalStream(pieces([4, 6])).window(8, 13)
    assert torch.equal(found, WHOLE[..., [8, 9, 9, 9, 9]])


def test_no_more_pieces_are_pulled_than_a_window_needs():
    pulled = []
    stream = mk.SignalStream(pieces([2, 2, 2, 2, 2], pulled))
    assert pulled == []
    stream.window(0, 4)
    assert pulled == [0, 1]
    stream.window(3, 5)
    assert pulled == [0, 1, 2]


def test_the_rest_is_what_was_not_passed():
    stream = mk.SignalStream(pieces([4, 3, 3]))
    stream.window(2, 5)
    assert torch.equal(stream.rest(), WHOLE[..., 2:])


@pytest.mark.parametrize("read", [0, 5])
def test_a_fork_reads_the_same_by_itself(read):
    pulled = []
    stream = mk.SignalStream(pieces([2, 2, 2, 2, 2], pulled))
    if read:
        stream.window(1, read)
    other = stream.fork()
    assert torch.equal(stream.rest(), other.rest())
    assert pulled == [0, 1, 2, 3, 4]


def test_what_is_past_is_let_go():
    stream, most = mk.SignalStream(torch.zeros(1, 1, 8) for _ in range(1000)), 0
    for start in range(0, 7900, 8):
        held = stream.window(start, start + 20)
        most = max(most, held.untyped_storage().nbytes() // 4)
    assert most <= 40
