"""Stages that read latents as they come make of them what they make of all of them."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_stages import AUDIO, AUTOENCODER

import mousai_kit.api as mk
from mousai_kit.models.overlap import overlapping_windows

BANDS = {"low": 256, "high": 64, "bands": 6, "stereo_bands": 4}
ENVELOPE = {
    "use": "envelope-autoencoder",
    **BANDS,
    "encoder": {"use": "band-split", **BANDS, "hop": 64, "channels": 32, "latent_channels": 2},
    "channels": 32,
    "low_rounds": 3,
    "high_rounds": 2,
}
OOBLECK = {"channels": 8, "multipliers": [1, 2], "factors": [4, 4]}
VARIATIONAL = {
    "use": "variational-autoencoder",
    "encoder": {"use": "oobleck", **OOBLECK, "latent_channels": 8, "bottleneck": "none"},
    "decoder": OOBLECK,
    "windows": [64, 256],
}
WITHOUT_ENCODER = {key: value for key, value in AUTOENCODER.items() if key != "encoder"}
STAGES = {
    "diffusion": AUTOENCODER,
    "envelope": ENVELOPE,
    "variational": VARIATIONAL,
    "draft": {**WITHOUT_ENCODER, "draft": ENVELOPE, "levels": 0.5},
    "draft as it is": {**WITHOUT_ENCODER, "draft": ENVELOPE, "refine": False},
}
SAMPLES = 9001


@pytest.fixture(params=STAGES)
def stage(request, build):
    made = build(mk.Stage, STAGES[request.param], input_space=AUDIO).requires_grad_(False).eval()
    for parameter in made.parameters():  # what starts at zero hears nothing yet
        parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def latents(stage):
    source = torch.Generator().manual_seed(0)
    return stage.encode(0.3 * torch.randn(2, 2, SAMPLES, generator=source))


def request(**changes):
    return mk.GenerationRequest(["", ""], [1, 2], SAMPLES, **changes)


@pytest.mark.parametrize("first", [None, 900])
@pytest.mark.parametrize("together", [1, 8])
def test_what_comes_in_pieces_is_heard_as_what_is_there(stage, first, together):
    order = request(window=3000, first_window=first, together=together)
    known = latents(stage)
    pieces = mk.SignalStream(known.split(7, -1))
    heard = torch.cat([*stage.stream_latents(pieces, order)], -1)
    assert heard.shape == (2, 2, SAMPLES)
    torch.testing.assert_close(
        heard, torch.cat([*stage.stream(known, order)], -1), atol=1e-6, rtol=1e-5
    )


def test_the_first_sound_needs_no_more_latents_than_its_window_and_the_next_ones(stage):
    """A domain hears the next window beside it, and a draft is heard by the one after that."""
    stride, pulled = stage.latent_space.stride, []

    def come():
        for piece in latents(stage).repeat(1, 1, 3).split(1, -1):
            pulled.append(1)
            yield piece

    order = replace(request(window=8000, first_window=1000), samples=3 * SAMPLES)
    next(stage.stream_latents(mk.SignalStream(come()), order))
    assert len(pulled) * stride <= 1000 + 2000 + 4000


def test_windows_that_grow_make_nearly_what_is_made_whole(stage):
    known = latents(stage)
    whole, grown = (
        torch.cat([*stage.stream(known, order)], -1)
        for order in (request(), request(window=4000, first_window=1000))
    )
    counted = stage.windows(request(window=4000, first_window=1000))
    assert counted > stage.windows(request(window=4000))
    loudness = [wave.square().mean().sqrt() for wave in (whole, grown)]
    torch.testing.assert_close(loudness[0], loudness[1], rtol=0.15, atol=0)


def test_a_request_without_growing_windows_is_what_it_was(stage):
    order = request(window=3000)
    assert replace(order, first_window=None) == order
    known = latents(stage)
    made = stage.decode(known, order)
    assert torch.equal(made, torch.cat([*stage.stream(known, order)], -1))


GROWING = st.integers(1, 3000), st.integers(1, 300), st.integers(1, 300)


@given(*GROWING)
def test_windows_that_grow_cover_the_whole_and_each_meets_the_next(whole, longest, first):
    found = overlapping_windows(whole, longest, first=first)
    assert (found[0].start, found[-1].stop) == (0, whole)
    for one, other in pairwise(found):
        assert one.start < other.start < one.stop < other.stop
        assert one.stop - other.start <= min(len(one), len(other)) / 2
    assert max(map(len, found)) <= max(2, longest)


@given(*GROWING)
def test_the_first_window_is_as_short_as_was_asked_where_there_is_more(whole, longest, first):
    found = overlapping_windows(whole, longest, first=first)
    if 2 * max(2, first) <= whole:
        assert len(found[0]) <= max(2, min(first, longest))
    growing = [len(window) for window in found[:-1] if len(window) < longest]
    assert growing == sorted(growing) or len({*growing}) <= 2
