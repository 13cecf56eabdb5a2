"""Musical metrics: as an independent implementation has them, and deaf to what they are not of."""

import warnings

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.signal import lfilter

from mousai_kit_mousai.musical_metrics import Attacks, Lines, Pitch

RATE = 48000
METRICS = [Lines, Pitch, Attacks]
SCALE = [60, 64, 67, 72, 65, 69, 62, 71]
"""A melody, as MIDI notes."""
SECONDS = 3


def score(component, generated, reference, *, rate=RATE, **options):
    """Return the score of sounds [c, t] or [b, c, t]."""
    metric = component(component.Options(**options), sample_rate=rate)
    ours, theirs = (it if it.ndim == 3 else it[None] for it in (generated, reference))
    return metric.score(ours, theirs)


def white(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def melody(notes=SCALE, *, begin=0.02, rate=RATE, channels=2, seconds=SECONDS):
    """Return notes of eight overtones that decay, evenly spaced from `begin` on, and some hiss."""
    t = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    wave = torch.zeros_like(t)
    beat = seconds / len(notes)
    for number, note in enumerate(notes):
        since = t - begin - number * beat
        pitch = 440 * 2 ** ((note - 69) / 12)
        sound = sum((2 * np.pi * pitch * k * since).sin() / k for k in range(1, 9))
        wave += 0.2 * sound * (-6 * since).exp() * (since >= 0)
    panned = torch.stack([wave * (1 - 0.3 * channel) for channel in range(channels)])
    return panned.float() + 1e-4 * white(channels, len(t), seed=9)


def hummed(seed, rate=RATE):
    """Return brown noise that swells: neither pitched nor with attacks."""
    noise = white(2, SECONDS * rate, seed=seed).double().numpy()
    t = np.arange(SECONDS * rate) / rate
    return torch.from_numpy(0.02 * lfilter([1], [1, -0.98], noise) * (1 + np.sin(7 * t))).float()


def same_envelope(wave):
    """Return noise with the sound's energy in time and frequency, coarsely: no line is left."""
    window = torch.hann_window(512)
    size = {"n_fft": 512, "hop_length": 128, "window": window}
    energy = torch.stft(wave, **size, return_complex=True).abs()
    noise = torch.stft(white(*wave.shape, seed=5), **size, return_complex=True)
    return torch.istft(noise * energy, **size, length=wave.shape[-1])


# an independent implementation of the definitions, in float64


def power(wave, rate, size, hop):
    """Return power [bins, frames] of the average of channels, by NumPy, and the frequencies."""
    size, hop = 2 * round(size / 2 * rate / 48000), round(hop * rate / 48000)
    mono = wave.double().mean(0).numpy()
    mode = "reflect" if len(mono) > size // 2 else "constant"
    padded = np.pad(mono, size // 2, mode)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    frames = [
        padded[start : start + size] * window for start in range(0, len(padded) - size + 1, hop)
    ]
    return np.abs(np.fft.rfft(frames).T) ** 2, np.arange(size // 2 + 1) * rate / size


def pearson(ours, theirs):
    return np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]


def known_lines(ours, theirs, rate):
    def lines(wave):
        found, hertz = power(wave, rate, 8192, 2048)
        level = 10 * np.log10(np.maximum(found[(hertz >= 60) & (hertz <= 5000)], 1e-9))
        means = [level[max(0, k - 15) : k + 16].mean(0) for k in range(len(level))]
        return level - np.array(means)

    return pearson(lines(ours), lines(theirs))


def known_pitch(ours, theirs, rate):
    def chroma(wave):
        found, hertz = power(wave, rate, 16384, 2048)
        inside = (hertz >= 60) & (hertz <= 2000)
        loud = np.log(1 + 100 * found / found[inside].mean())
        classes = np.zeros((12, found.shape[1]))
        for k in np.flatnonzero(inside):
            note = 69 + 12 * np.log2(hertz[k] / 440)
            off = abs(note - round(note))
            classes[round(note) % 12] += (1 - 2 * off) * loud[k]
        width = min(11, classes.shape[1])
        mean = np.array([np.convolve(row, np.ones(width) / width, "valid") for row in classes])
        return mean - mean.mean(0)

    a, b = chroma(ours), chroma(theirs)
    return np.mean((a * b).sum(0) / np.linalg.norm(a, axis=0) / np.linalg.norm(b, axis=0))


def known_attacks(ours, theirs, rate):
    def mel(hertz):
        return 2595 * np.log10(1 + hertz / 700)

    def onsets(wave):
        found, hertz = power(wave, rate, 2048, 512)
        corners = 700 * (10 ** (np.linspace(mel(20), mel(min(20000, rate / 2)), 42) / 2595) - 1)
        bands = [np.interp(hertz, corners[k : k + 3], [0, 1, 0]) for k in range(40)]
        level = 10 * np.log10(np.maximum(np.array(bands) @ found, 1e-8))
        return np.maximum(np.diff(level), 0).mean(0)

    return pearson(onsets(ours), onsets(theirs))


KNOWN = {Lines: known_lines, Pitch: known_pitch, Attacks: known_attacks}
SOUNDS = {
    "another melody": melody([70, 63, 58, 66, 61, 56, 68, 59], begin=0.1),
    "a melody in noise": melody() + 0.03 * white(2, SECONDS * RATE),
    "noise of the same envelope": same_envelope(melody()),
    "white noise": 0.1 * white(2, SECONDS * RATE, seed=2),
    "brown noise": hummed(3),
}


@pytest.mark.parametrize("component", METRICS)
class TestDefinition:
    @pytest.mark.parametrize("name", SOUNDS)
    def test_a_score_is_what_the_definition_says(self, component, name):
        ours, theirs = SOUNDS[name], melody()
        expected = KNOWN[component](ours, theirs, RATE)
        assert score(component, ours, theirs) == pytest.approx(expected, abs=1e-4)
        assert score(component, theirs, ours) == pytest.approx(expected, abs=1e-4)

    @pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 96000])
    def test_at_other_rates_windows_last_as_long(self, component, rate):
        ours = melody(SCALE[::-1], begin=0.03, rate=rate) + 0.02 * white(2, SECONDS * rate)
        theirs = melody(rate=rate)
        expected = KNOWN[component](ours, theirs, rate)
        assert score(component, ours, theirs, rate=rate) == pytest.approx(expected, abs=1e-4)

    @pytest.mark.parametrize("length", [1024, 1025, 4096, 5000, 8192, 8193, 20000])
    def test_a_short_clip_has_silence_or_itself_mirrored_beyond_its_ends(self, component, length):
        ours, theirs = white(2, length), white(2, length, seed=1)
        expected = KNOWN[component](ours, theirs, RATE)
        assert score(component, ours, theirs) == pytest.approx(expected, abs=1e-4)

    def test_no_mel_band_is_empty_at_any_rate_that_a_recipe_may_have(self, component):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for rate in (8000, 11025, 192000):
                score(component, white(2, rate), white(2, rate), rate=rate)


@pytest.mark.parametrize("component", METRICS)
class TestEveryMusicalMetric:
    def test_it_is_a_plain_number_and_more_is_better(self, component):
        assert (component.unit, component.better) == ("", "higher")

    @pytest.mark.parametrize("length", [100, 1500, 5000, 144000])
    @pytest.mark.parametrize("channels", [1, 2, 3])
    def test_the_same_sound_scores_one(self, component, length, channels):
        wave = melody(channels=channels)[:, 500 : length + 500]
        again = score(component, wave.clone(), wave)
        # 100 samples are less than a hop: a single frame, after which nothing rises
        assert again == pytest.approx(0 if (component, length) == (Attacks, 100) else 1, abs=1e-9)

    def test_louder_is_the_same(self, component):
        wave = melody() + 0.01 * white(2, SECONDS * RATE)
        assert score(component, 3 * wave, wave) == pytest.approx(1, abs=1e-5)

    def test_silence_scores_0_with_everything(self, component):
        silence, sound = torch.zeros(2, 30000), melody()[:, :30000]
        pairs = [(silence, sound), (sound, silence), (silence, silence)]
        assert [score(component, *pair) for pair in pairs] == [0, 0, 0]

    @pytest.mark.parametrize("length", [1, 2, 3, 100])
    def test_a_few_samples_have_a_score(self, component, length):
        assert -1 <= score(component, white(2, length), white(2, length, seed=1)) <= 1

    def test_silence_before_and_after_leaves_the_same_sound_at_one(self, component):
        gap = torch.zeros(2, RATE)
        wave = torch.cat([gap, melody(), gap], -1)
        assert score(component, wave, wave) == pytest.approx(1, abs=1e-9)

    def test_what_one_channel_has_upside_down_is_not_heard(self, component):
        mono = melody(channels=1)
        antiphase = torch.cat([mono, -mono])
        assert score(component, antiphase, antiphase) == 0
        wave, other = melody(), white(1, SECONDS * RATE)
        upside_down = 0.25 * torch.cat([other, -other])
        assert score(component, wave + upside_down, wave) == pytest.approx(1, abs=1e-4)

    def test_mono_is_both_channels_alike(self, component):
        ours, theirs = melody(SCALE[::-1], channels=1), melody(channels=1)
        alone = score(component, ours, theirs)
        assert score(component, ours.repeat(2, 1), theirs.repeat(2, 1)) == pytest.approx(alone)

    def test_a_set_scores_the_mean_of_its_clips(self, component):
        ours, theirs = white(3, 2, 30000), white(3, 2, 30000, seed=1)
        ours[2] += theirs[2]
        ours[1] *= 0.01
        alone = [score(component, *pair) for pair in zip(ours, theirs, strict=True)]
        assert score(component, ours, theirs) == pytest.approx(sum(alone) / 3)

    def test_both_directions_are_alike(self, component):
        ours, theirs = melody(), SOUNDS["another melody"]
        assert score(component, ours, theirs) == pytest.approx(score(component, theirs, ours))

    def test_a_sound_has_much_the_same_score_at_any_rate(self, component):
        scores = []
        for rate in (16000, 22050, 44100, 48000):
            # below 8 kHz alone, so that all rates hold the same sound
            theirs, ours = melody([50, 54, 57], rate=rate), melody([50, 55, 57], rate=rate)
            scores.append(score(component, ours, theirs, rate=rate))
        assert max(scores) - min(scores) < 0.1


class TestLines:
    @pytest.mark.parametrize("seed", range(4))
    def test_noise_of_the_same_envelope_is_near_0(self, seed):
        notes = torch.tensor(SCALE)[
            torch.randperm(8, generator=torch.Generator().manual_seed(seed))
        ]
        theirs = melody(notes.tolist())
        assert abs(score(Lines, same_envelope(theirs), theirs)) < 0.1

    def test_the_same_notes_in_other_phases_are_nearer_than_other_notes(self):
        theirs = melody()
        phases = 2 * np.pi * torch.rand(8193, 1, generator=torch.Generator().manual_seed(0))
        size = {"n_fft": 16384, "hop_length": 4096, "window": torch.hann_window(16384)}
        spectrum = torch.stft(theirs, **size, return_complex=True)
        turned = torch.polar(spectrum.abs(), spectrum.angle() + phases)
        ours = torch.istft(turned, **size, length=theirs.shape[-1])
        assert score(Lines, ours, theirs) > score(Lines, SOUNDS["another melody"], theirs) + 0.2

    def test_a_tilt_of_the_spectrum_makes_no_difference(self):
        tilted = torch.from_numpy(lfilter([0.1], [1, -0.9], melody().double().numpy())).float()
        assert score(Lines, tilted, melody()) > 0.98

    def test_what_is_above_the_band_makes_no_difference(self):
        t = torch.arange(SECONDS * RATE, dtype=torch.float64) / RATE
        whistle = 0.1 * (2 * np.pi * 7000 * t).sin() * torch.hann_window(len(t))
        assert score(Lines, melody() + whistle.float(), melody()) > 0.99


class TestPitch:
    @pytest.mark.parametrize("semitones", range(1, 12))
    def test_a_melody_in_another_key_scores_lower(self, semitones):
        transposed = melody([note + semitones for note in SCALE])
        assert score(Pitch, transposed, melody()) < 0.8

    def test_another_octave_is_nearer_than_another_key(self):
        octave, fifth = (melody([note + up for note in SCALE]) for up in (12, 7))
        assert score(Pitch, octave, melody()) > score(Pitch, fifth, melody()) + 0.2

    @pytest.mark.parametrize("seed", range(4))
    def test_another_melody_scores_lower(self, seed):
        notes = torch.randint(48, 84, (8,), generator=torch.Generator().manual_seed(seed)).tolist()
        noisy = melody() + 0.02 * white(2, SECONDS * RATE)
        assert score(Pitch, melody(notes), melody()) < score(Pitch, noisy, melody()) - 0.2

    def test_the_same_notes_in_another_order_score_lower(self):
        assert score(Pitch, melody(SCALE[::-1]), melody()) < 0.8

    def test_averaged_over_the_whole_clip_their_order_does_not_matter(self):
        shorter, whole = (
            score(Pitch, melody(SCALE[::-1]), melody(), seconds=seconds) for seconds in (0.1, 60.0)
        )
        assert shorter < 0.6
        assert whole > 0.9

    def test_silence_in_place_of_half_the_notes_costs_half(self):
        """No frame is both: a gap of half a second and a window stands between them."""
        gap = torch.zeros(2, RATE)
        both = torch.cat([melody(), gap, gap, gap, melody()], -1)
        half = torch.cat([melody(), gap, gap, gap, torch.zeros(2, SECONDS * RATE)], -1)
        assert score(Pitch, half, both) == pytest.approx(0.5, abs=0.02)

    @pytest.mark.parametrize("seconds", [0.0, 0.001, 61.0, float("nan")])
    def test_times_that_are_no_average_are_refused(self, seconds):
        with pytest.raises(ValidationError):
            Pitch.Options(seconds=seconds)


class TestAttacks:
    @pytest.mark.parametrize("late", [0.03, 0.06, 0.12, 0.2])
    def test_late_attacks_score_lower(self, late):
        assert score(Attacks, melody(begin=0.02 + late), melody()) < 0.5

    def test_later_is_worse_until_they_no_longer_meet(self):
        scores = [score(Attacks, melody(begin=0.02 + ms / 1000), melody()) for ms in (0, 5, 10, 20)]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] - scores[-1] > 0.3

    def test_other_notes_at_the_same_times_score_higher_than_the_same_at_others(self):
        together = score(Attacks, melody(SCALE[::-1]), melody())
        assert together > score(Attacks, melody(begin=0.1), melody()) + 0.5

    def test_noise_of_the_same_rhythm_scores_high(self):
        assert score(Attacks, same_envelope(melody()), melody()) > 0.7

    def test_noise_without_attacks_is_near_0(self):
        assert abs(score(Attacks, hummed(3), melody())) < 0.2

    def test_rounding_is_no_attack(self):
        """A tone has whole periods in a hop and is mirrored at a crest: its frames are alike."""
        t = torch.arange(93 * 512 + 1, dtype=torch.float64) / RATE
        tone = 0.01 * (2 * np.pi * 937.5 * t).cos().float()
        rounded = (tone + 1e-8 * white(1, len(t)))[None]
        assert score(Attacks, rounded, rounded) == 0
