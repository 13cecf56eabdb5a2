"""Long clips: windows that go on from each other, heard while later ones are not made yet."""

import itertools
from dataclasses import replace

import nano
import pytest
import soundfile
import torch
from torch.utils._pytree import tree_leaves

import mousai_kit.api as mk
from mousai_kit.core.seeds import derive_seed
from mousai_kit.generation.long_clip import LongClip
from mousai_kit.models import memory
from mousai_kit.models.editing import continued_windows
from mousai_kit.training.run import train_run

RATE = nano.RATE
LEARNED = 16
"""Latent frames that `nano` learned from at a time, of 256 samples each."""


@pytest.fixture
def cascade(trained):
    return mk.load(trained, ["generate.window=0.5"], quiet=True)


@pytest.fixture
def windows(cascade, monkeypatch):
    """Return a list to which each request for the top stage's signal is added."""
    asked, decode = [], cascade.top.decode

    def spy(latents, request):
        asked.append(request)
        return decode(latents, request)

    monkeypatch.setattr(cascade.top, "decode", spy)
    return asked


def request(clips=1, samples=2 * RATE, **changes):
    texts = ["low saw", "high pulses", "bell"][:clips]
    return mk.GenerationRequest(texts, list(range(clips)), samples, **changes)


def signal_of(cascade, order, **given):
    """Return the top stage's signal of a clip that is made in windows."""
    clip = LongClip(cascade, order.samples, longest=LEARNED, **given)
    return torch.cat([*clip._signal(order, None)], -1), clip


@pytest.mark.parametrize("frames", [17, 18, 28, 29, 100, 1000])
def test_windows_cover_a_clip_and_each_begins_inside_the_one_before(frames):
    found = continued_windows(frames, LEARNED)
    assert (found[0].start, found[-1].stop) == (0, frames)
    assert {len(window) for window in found} == {LEARNED}
    for before, after in itertools.pairwise(found):
        assert before.stop - after.start >= LEARNED // 4
        assert after.stop > before.stop
    assert len(found) <= 2 + frames // (LEARNED - LEARNED // 4)


@pytest.mark.parametrize("seconds", [0.3, 0.512])
def test_a_clip_as_long_as_what_was_learned_is_made_at_once(cascade, windows, seconds):
    made = cascade.generate("low saw", seconds=seconds).audio
    (asked,) = windows
    assert (asked.start, asked.total, asked.source, asked.first_window) == (0, None, None, None)
    order = mk.GenerationRequest(
        ["low saw"], [0], made.shape[-1], guidance=2.0, window=cascade.recipe.window_samples
    )
    assert torch.equal(made, cascade.generate_signal(order)[0])


def test_pieces_are_the_audio_that_is_made_whole_bit_for_bit(cascade):
    made = cascade.generate("low saw", seconds=3.0).audio
    pieces = [*cascade.stream("low saw", seconds=3.0)]
    assert len(pieces) > 3
    assert torch.equal(torch.cat(pieces, -1), made)
    assert made.shape == (1, 3 * RATE)


def test_a_short_clip_can_be_streamed_too(cascade):
    made = cascade.generate("low saw", seconds=0.4).audio
    assert torch.equal(torch.cat([*cascade.stream("low saw", seconds=0.4)], -1), made)


def test_the_first_piece_comes_before_the_second_window_is_begun(cascade, windows, monkeypatch):
    monkeypatch.setattr("mousai_kit.generation.long_clip.FIRST", 0.1)
    pieces = cascade.stream("low saw", seconds=60.0)
    assert windows == []
    first = next(pieces)
    assert len(windows) == 1
    assert 0 < first.shape[-1] <= 0.2 * RATE
    heard = first.shape[-1]
    for _ in range(10):
        heard += next(pieces).shape[-1]
        made = windows[-1].start + windows[-1].samples
        assert made - heard < RATE
    pieces.close()


def test_each_window_goes_on_from_the_one_before(cascade, monkeypatch):
    asked, made, decode = [], [], cascade.top.decode

    def spy(latents, order):
        asked.append(order)
        made.append(decode(latents, order))
        return made[-1]

    monkeypatch.setattr(cascade.top, "decode", spy)
    signal, clip = signal_of(cascade, request(2))
    assert [order.start for order in asked] == [256 * window.start for window in clip.windows]
    assert {order.total for order in asked} == {2 * RATE}
    for number in range(1, len(asked)):
        window, order = clip.windows[number], asked[number]
        seen = clip.windows[number - 1].stop - window.start
        assert torch.equal(order.source, made[number - 1][..., -seen:])
        kept = order.keep == 1
        assert 0 < kept.sum() < seen
        assert (order.keep[seen:] == 0).all()
        assert (order.keep.diff() <= 0).all()
        heard = signal[..., window.start : window.stop]
        assert torch.equal(heard[..., kept], made[number][..., kept])
        torch.testing.assert_close(heard[..., kept], order.source[..., kept[:seen]])


def test_the_signal_is_what_the_windows_made(cascade):
    made, _ = signal_of(cascade, request(2))
    assert made.shape[-1] == cascade.top.input_space.frames(2 * RATE)
    assert torch.equal(made, signal_of(cascade, request(2))[0])
    order = replace(request(2), total=2 * RATE, samples=LEARNED * 256)
    first = LEARNED - LEARNED // 8
    assert torch.equal(made[..., :first], cascade.make_signal(order)[..., :first])


def test_each_window_has_the_noise_of_its_place(cascade, monkeypatch):
    seen, sample = [], mk.EditedSampler.sample

    def spy(self, velocity, noise, **given):
        seen.append(noise)
        return sample(self, velocity, noise, **given)

    monkeypatch.setattr(mk.EditedSampler, "sample", spy)
    _, clip = signal_of(cascade, request())
    frames = cascade.top.input_space.frames(2 * RATE)
    own = replace(request(), seeds=[derive_seed(0, "generator")])
    whole = own.noise().normal(4, frames)
    for window, noise in zip(clip.windows, seen, strict=True):
        assert torch.equal(noise, whole[..., window.start : window.stop])


def test_a_clip_is_the_same_alone_and_in_a_batch(cascade):
    texts = ["low saw", "high pulses"]
    together = cascade.generate(texts, seconds=1.5, batch=2)
    for text, clip in zip(texts, together, strict=True):
        alone = cascade.generate(text, seconds=1.5).audio
        torch.testing.assert_close(clip.audio, alone, atol=1e-4, rtol=0)


def test_a_blend_goes_over_the_whole_clip_and_not_over_each_window(cascade, monkeypatch):
    from mousai_kit.models import text_stage

    shares, blend = [], text_stage.Blend

    def spy(*given, **options):
        made = blend(*given, **options)
        shares.append(made._shares(torch.zeros(1, 1, LEARNED)))
        return made

    monkeypatch.setattr(text_stage, "Blend", spy)
    cascade.generate("low saw", blend="bell", seconds=2.0)
    assert shares[0][0] == 0
    assert shares[-1][-1] == 1
    assert all(before[0] < after[0] for before, after in itertools.pairwise(shares))
    assert all((share.diff() >= 0).all() for share in shares)


def test_what_is_told_over_time_is_cut_and_what_is_told_of_a_place_goes_on(here, monkeypatch):
    system = nano.system(text=nano.TOLD)
    train_run(system)
    told = mk.load(system.folder.path, quiet=True)
    nano.tone("hum.wav", seconds=2.0, rate=RATE)
    heard, forward = [], type(told.top.conditioners).forward

    def spy(self, extras, **given):
        made = forward(self, extras, **given)
        if extras:  # guidance leads away from nothing told
            heard.append((extras["timing"], made.context))
        return made

    monkeypatch.setattr(type(told.top.conditioners), "forward", spy)
    conditions = {"melody": "hum.wav", "timing": [10, 60]}
    made = told.generate("low saw", conditions=conditions, seconds=2.0).audio
    starts = [float(place[0, 0]) for place, _ in heard]
    windows = continued_windows(63, LEARNED)
    assert starts == pytest.approx([10 + window.start * 256 / RATE for window in windows])
    assert {float(place[0, 1]) for place, _ in heard} == {60.0}
    assert {context.shape[-1] for _, context in heard} == {63}
    assert made.shape[-1] == 2 * RATE


def test_a_long_source_is_left_as_far_as_strength_says(cascade, windows):
    wave = torch.cat([torch.randn(4 * RATE, generator=torch.Generator().manual_seed(0))])
    soundfile.write("a.flac", 0.2 * wave.numpy(), RATE)
    given = cascade.generate("low saw", source="a.flac", strength=0.0).audio
    assert len(windows) > 3
    near, far = (
        cascade.generate("low saw", source="a.flac", strength=strength).audio
        for strength in (0.05, 1.0)
    )
    assert (near - given).norm() < (far - given).norm() / 2
    wave = soundfile.read("a.flac", dtype="float32")[0]
    latents = cascade.encode_source(torch.from_numpy(wave)[None, None])
    order = mk.GenerationRequest(
        ["low saw"], [0], 4 * RATE, window=cascade.recipe.window_samples, first_window=12_000
    )
    expected = cascade.decode(latents, order, top="autoencoder")[0]
    torch.testing.assert_close(given, expected, atol=1e-3, rtol=0)


def test_a_loop_is_made_at_once(cascade, windows):
    cascade.generate("low saw", seconds=2.0, loop=True)
    assert len(windows) == 1


def test_progress_is_told_as_often_as_was_said(cascade, monkeypatch):
    clip = LongClip(cascade, 4 * RATE, longest=LEARNED)
    ticks = []
    order = request(samples=4 * RATE, window=RATE // 2, progress=lambda: ticks.append(1))
    for _ in clip.stream(order):
        pass
    assert len(ticks) == clip.reports(order)


def test_memory_does_not_grow_with_what_is_played(cascade):
    """What the stages made is alive only near where it is heard."""
    clip = LongClip(cascade, 12 * RATE, longest=LEARNED)
    order, alive = request(samples=12 * RATE, window=RATE // 2), []
    with Ledger() as ledger:
        for piece in clip.stream(order):
            assert piece.shape[-1] <= RATE
            del piece
            alive.append(ledger.now)
    third = len(alive) // 3
    assert max(alive[2 * third :]) <= 1.005 * max(alive[third : 2 * third])


class Ledger(memory._MemoryTracker):
    """Counts what lives, but weights as oneDNN packs them, which have no storage."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, torch.Tensor) and result.layout == torch.strided:
                self._enter(result.untyped_storage())
        return results


def test_a_stage_that_does_not_continue_makes_all_at_once(cascade, windows, monkeypatch):
    monkeypatch.setattr(type(cascade.top), "continues", False)
    cascade.generate("low saw", seconds=2.0)
    assert [asked.samples for asked in windows] == [2 * RATE]


def test_a_lower_stage_that_knows_tensors_alone_gets_all_latents(cascade, monkeypatch):
    lowest, plain = cascade.stages["autoencoder"], mk.Stage.stream_latents
    given, stream = [], lowest.stream

    def spy(latents, request):
        given.append(latents.shape[-1])
        return stream(latents, request)

    made = cascade.generate("low saw", seconds=1.0).audio
    with monkeypatch.context() as patch:
        patch.setattr(lowest, "stream", spy)
        patch.setattr(
            lowest,
            "stream_latents",
            lambda latents, request: (
                plain(lowest, latents, request) if not given else real(latents, request)
            ),
        )
        real = type(lowest).stream_latents.__get__(lowest)
        again = cascade.generate("low saw", seconds=1.0).audio
    assert given == [32]
    assert torch.equal(again, made)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prompt": 5}, "a prompt must be text (got 5)"),
        ({"prompt": "a", "seconds": 0}, "seconds: must be a number above 0 (got 0)"),
        ({"prompt": "a", "batch": 0}, "batch: must be a whole number of at least 1 (got 0)"),
        ({"prompt": "a", "lopp": True}, "lopp: unknown option; did you mean 'loop'?"),
    ],
)
def test_what_cant_be_streamed_is_told_before_a_piece_is_asked_for(cascade, given, told):
    with pytest.raises(mk.MousaiError) as refused:
        cascade.stream(given.pop("prompt"), **given)
    assert str(refused.value) == told
