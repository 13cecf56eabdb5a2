"""Griffin-Lim: magnitudes that are met, beginnings that are kept, phases that are carried on."""

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.audio.griffin_lim import griffin_lim, inverse_stft, stft
from mousai_kit.testing.signals import white
from mousai_kit_clips.clips import MUSIC

WINDOW, HOP = torch.hann_window(1024), 256
LENGTH = 64 * HOP


@pytest.fixture(scope="module")
def sound():
    """Return two seconds' worth of music at 8 kHz, in two waves."""
    path = MUSIC / "06-crossroads.ogg"
    wave = mk.read(path, sample_rate=8000, channels=2, start=2.0, seconds=3.0)
    return wave[:, :LENGTH] / wave.std()


def played(sound, **options):
    magnitude = stft(sound, WINDOW, HOP).abs()
    settings = {"window": WINDOW, "hop": HOP, "rounds": 16} | options
    return griffin_lim(magnitude, white(*sound.shape), **settings)


def off(wave, sound):
    """Return how far a wave's magnitudes are from a sound's, in dB below the sound."""
    ours, theirs = (stft(it, WINDOW, HOP).abs() for it in (wave, sound))
    return 20 * torch.log10((ours - theirs).norm() / theirs.norm()).item()


def test_an_stft_comes_back(sound):
    back = inverse_stft(stft(sound, WINDOW, HOP), WINDOW, HOP)
    torch.testing.assert_close(back, sound, atol=1e-5, rtol=0)


def test_the_magnitudes_of_a_real_sound_are_met(sound):
    distances = [off(played(sound, rounds=rounds), sound) for rounds in (0, 4, 16, 64)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > -8
    assert distances[2] < -15
    assert distances[3] < -18


def test_momentum_gets_there_sooner(sound):
    plain, carried = (off(played(sound, momentum=it), sound) for it in (0.0, 0.5))
    assert carried < plain - 1


def test_a_longer_stride_gets_there_sooner_and_keeps_what_is_known(sound):
    known = sound[:, : 10 * HOP]
    plain, further = (played(sound, rounds=10, known=known, stride=it) for it in (1.0, 1.25))
    assert off(further, sound) < off(plain, sound) - 0.2
    assert torch.equal(further[:, : known.shape[1]], known)


def test_without_momentum_a_round_is_griffin_and_lims(sound):
    """Their algorithm (1984), written out."""
    magnitude = stft(sound, WINDOW, HOP).abs()
    wave = white(*sound.shape)
    for _ in range(4):  # the first is where it begins
        angle = stft(wave, WINDOW, HOP).angle()
        wave = inverse_stft(torch.polar(magnitude, angle), WINDOW, HOP)
    torch.testing.assert_close(played(sound, rounds=3, momentum=0.0), wave, atol=1e-3, rtol=0)


@pytest.mark.parametrize("at_once", [1, 2**13, 2**30])
def test_a_carried_round_is_perraudins_however_many_frames_are_taken_at_a_time(
    sound, at_once, monkeypatch
):
    """Their algorithm (2013), written out with torch's transforms: it carries on spectra."""
    monkeypatch.setattr("mousai_kit.audio.griffin_lim.AT_ONCE", at_once)
    magnitude = stft(sound, WINDOW, HOP).abs()
    carried, before = stft(white(*sound.shape), WINDOW, HOP), 0
    for _ in range(4):  # the first is where it begins
        spectrum = magnitude * torch.polar(torch.ones_like(magnitude), carried.angle())
        wave = torch.istft(spectrum, len(WINDOW), HOP, window=WINDOW)
        found = stft(wave, WINDOW, HOP)
        carried, before = found + 0.9 * (found - before), found
    made = played(sound, rounds=3, momentum=0.9)
    torch.testing.assert_close(made, wave, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("width", "hop"), [(1024, 256), (1024, 200), (882, 441), (777, 256)])
def test_the_way_back_is_torchs_at_any_hop(sound, width, hop):
    window = torch.hann_window(width)
    spectrum = stft(sound, window, hop) * white(width // 2 + 1, 1)
    theirs = torch.istft(spectrum, width, hop, window=window)
    torch.testing.assert_close(inverse_stft(spectrum, window, hop), theirs, atol=1e-5, rtol=0)


def test_what_is_there_already_does_not_change(sound):
    magnitude = stft(sound, WINDOW, HOP).abs()
    made = griffin_lim(magnitude, sound, window=WINDOW, hop=HOP, rounds=8)
    torch.testing.assert_close(made, sound, atol=1e-4, rtol=0)


def test_a_beginning_that_is_known_is_kept_to_the_sample_and_gone_on_from(sound):
    known = sound[:, : 20 * HOP + 17]
    made = played(sound, known=known)
    assert torch.equal(made[:, : known.shape[1]], known)
    assert off(made, sound) < -15
    free = played(sound)
    near = slice(known.shape[1], known.shape[1] + HOP)
    agrees = [
        torch.nn.functional.cosine_similarity(it[:, near], sound[:, near]) for it in (made, free)
    ]
    assert agrees[0].min() > 0.8
    assert agrees[1].mean() < agrees[0].mean() - 0.2


@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_each_round_is_reported(sound, rounds):
    heard = []
    played(sound, rounds=rounds, tick=lambda: heard.append(1))
    assert len(heard) == rounds


def test_waves_of_a_batch_do_not_mix(sound):
    together = played(sound)
    noise, magnitude = white(*sound.shape), stft(sound, WINDOW, HOP).abs()
    for place in range(2):
        one = slice(place, place + 1)
        alone = griffin_lim(magnitude[one], noise[one], window=WINDOW, hop=HOP, rounds=16)
        torch.testing.assert_close(alone, together[one], atol=1e-3, rtol=0)


def test_silence_is_played_as_silence():
    silence = torch.zeros(1, LENGTH)
    assert not played(silence).any()
    from_silence = griffin_lim(
        stft(white(1, LENGTH), WINDOW, HOP).abs(), silence, window=WINDOW, hop=HOP, rounds=4
    )
    assert from_silence.isfinite().all()
