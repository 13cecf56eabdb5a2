"""Melody: the right note from hums, whistles and music, whatever their gain, bass and tuning."""

import pickle
from time import process_time

import pytest
import soundfile
import torch
from pydantic import ValidationError
from sung import (
    MELODIES,
    RATE,
    SECONDS,
    bass,
    chords,
    classes_at,
    drums,
    hum,
    lead,
    whistle,
)

import mousai_kit.api as mk
from mousai_kit_conditioning.melody import Melody

HOP = 4000
SAMPLES = SECONDS * RATE


def melody(rate=RATE, **options):
    space = mk.SignalSpace(channels=8, stride=1024, sample_rate=rate)
    return Melody(Melody.Options(**options), space=space, text_features=64)


def of_clip(wave, **options):
    """Return what the melody of a wave is, [k, n]."""
    return melody(**options).from_clip(mk.Clip(wave, ""))


def share_right(wave, notes):
    """Return the share of frames, where a note is held, in which its pitch class is told."""
    data, true = of_clip(wave), classes_at(notes, HOP)
    right = data.T[torch.arange(len(true)), true] == 1
    return float(right[true >= 0].float().mean())


@pytest.fixture
def saved(tmp_path):
    """Return a function that writes a wave [c, t] and returns its path as text."""

    def save(wave, name="told.wav", rate=RATE):
        path = tmp_path / name
        soundfile.write(path, wave.T.numpy(), rate, subtype="FLOAT")
        return str(path)

    return save


def of_file(file, *, samples=SAMPLES, **value):
    return melody().from_value(Melody.Value(file=file, **value), samples=samples)


SUNG = {
    "a hum": {},
    "a man's": {"octave": -1},
    "a woman's, with much vibrato": {"octave": 1, "vibrato": 0.5},
    "in noise": {"noise": 0.05},
    "a half quarter-tone sharp": {"off": 0.4},
    "flat": {"off": -0.3},
}


@pytest.mark.parametrize("how", SUNG.values(), ids=SUNG)
@pytest.mark.parametrize("notes", MELODIES)
def test_what_is_hummed_has_its_notes(notes, how):
    assert share_right(hum(notes, **how), notes) >= 0.95


@pytest.mark.parametrize("notes", MELODIES)
@pytest.mark.parametrize("octave", [1, 2])
def test_what_is_whistled_has_its_notes(notes, octave):
    assert share_right(whistle(notes, octave=octave), notes) >= 0.95


@pytest.mark.parametrize("notes", MELODIES)
def test_the_line_above_chords_bass_and_drums_is_the_melody(notes):
    assert share_right(lead(notes) + chords() + bass() + drums(), notes) >= 0.8


@pytest.mark.parametrize("notes", MELODIES[:2])
def test_a_bass_of_twenty_decibels_more_is_not_heard_in_music(notes):
    music = lead(notes) + 0.5 * chords()
    alike = (of_clip(music) == of_clip(music + 10 * bass())).all(0)
    assert alike.float().mean() >= 0.95


@pytest.mark.parametrize("gain", [0.01, 2.0])
@pytest.mark.parametrize("wave", [hum(MELODIES[0]), lead(MELODIES[1]) + chords() + drums()])
def test_the_gain_does_not_matter(wave, gain):
    assert torch.equal(of_clip(gain * wave), of_clip(wave))


def test_frames_have_one_note_at_most_and_are_as_many_as_hops_begun():
    for samples in (1, HOP, HOP + 1, 100_000):
        data = of_clip(lead(MELODIES[0])[:, :samples])
        assert data.shape == (12, -(-samples // HOP))
        assert data.dtype == torch.float32
        assert set(data.unique().tolist()) <= {0, 1}
        assert data.sum(0).max() <= 1


def test_silence_noise_and_drums_have_no_melody():
    noise = 0.1 * torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(0))
    assert not of_clip(torch.zeros(2, SAMPLES)).any()
    assert of_clip(noise).sum(0).mean() < 0.05
    assert not of_clip(1e-5 * hum(MELODIES[0])).any()


def test_what_falls_silent_has_no_notes_from_there_on():
    wave = hum(MELODIES[0])
    wave[:, SAMPLES // 2 :] = 0
    data = of_clip(wave)
    assert data[:, : 24 - 1].sum(0).mean() >= 0.95
    assert not data[:, 24 + 1 :].any()


def test_all_octaves_are_alike_in_twelve_bins_and_not_in_more():
    notes = MELODIES[0]
    low, high = hum(notes), hum(notes, octave=1)
    assert (of_clip(low) == of_clip(high)).all(0).float().mean() >= 0.9
    parts = {bins: of_clip(low, bins=bins) for bins in (24, 36)}
    for bins, data in parts.items():
        assert data.shape == (bins, 48)
        assert torch.equal(data.unflatten(0, (-1, 12)).sum(0), of_clip(low))
    third, fourth = (
        of_clip(wave, bins=36).unflatten(0, (3, 12)).sum((1, 2)) for wave in (low, high)
    )
    assert third[1] > 0.8 * third.sum()
    assert fourth[2] > 0.8 * fourth.sum()


@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_any_rate_will_do(rate):
    notes = MELODIES[0]
    part = melody(rate)
    data = part.from_clip(mk.Clip(hum(notes, rate=rate), ""))
    true = classes_at(notes, part.hop, rate)[: data.shape[1]]
    right = data.T[torch.arange(len(true)), true] == 1
    assert right[true >= 0].float().mean() >= 0.95


def test_a_file_tells_what_a_clip_of_it_tells(saved):
    for wave in (hum(MELODIES[0]), lead(MELODIES[1]) + chords() + drums()):
        assert torch.equal(of_file(saved(wave)), of_clip(wave))


def test_a_file_of_another_rate_is_resampled(saved):
    notes = MELODIES[0]
    data, true = of_file(saved(hum(notes, rate=44_100), rate=44_100)), classes_at(notes, HOP)
    right = data.T[torch.arange(len(true)), true] == 1
    assert right[true >= 0].float().mean() >= 0.95


def test_a_shorter_file_tells_nothing_of_the_rest_and_a_longer_one_is_cut(saved):
    wave = hum(MELODIES[0])
    whole, file = of_clip(wave), saved(wave)
    longer = of_file(file, samples=2 * SAMPLES + 1)
    assert longer.shape == (12, 97)
    assert torch.equal(longer[:, :48], whole)
    assert not longer[:, 48:].any()
    shorter = of_file(file, samples=SAMPLES // 2)
    assert shorter.shape == (12, 24)
    assert (shorter == whole[:, :24]).all(0).float().mean() > 0.9


def test_a_file_is_heard_from_its_start_on(saved):
    wave = hum(MELODIES[0])
    expected = of_clip(wave[:, RATE:])
    made = of_file(saved(wave), start=1.0, samples=SAMPLES - RATE)
    assert torch.equal(made, expected)


def test_what_sounds_alone_may_be_said(saved):
    deep = saved(hum([note - 12 for note in MELODIES[2]], off=0.4))
    told = {kind: of_file(deep, kind=kind) for kind in ("auto", "voice", "music")}
    assert torch.equal(told["auto"], told["voice"])
    assert not torch.equal(told["music"], told["voice"])


def refusal(file, **value):
    with pytest.raises(mk.AudioError) as caught:
        of_file(file, **value)
    return str(caught.value)


def test_bad_files_are_told_in_one_line(saved, tmp_path):
    silent = saved(torch.zeros(1, RATE))
    assert refusal(silent) == f"{silent}: is silent for the 4.0 s of the clip"
    short = saved(hum(MELODIES[0])[:, :1200])
    told = "lasts 0.025 s; 0.083 s are the least"
    assert refusal(short) == f"{short}: {told}"
    noise = saved(0.1 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(3)))
    told = "has no note that stands out; hum or whistle it nearer to the microphone"
    assert refusal(noise) == f"{noise}: {told}"
    hummed = saved(hum(MELODIES[0]))
    assert refusal(hummed, start=5.0) == f"{hummed}: has nothing at 5.00 s; it is 4.00 s long"
    assert refusal(hummed, start=3.99).endswith("lasts 0.010 s after 3.99 s; 0.083 s are the least")
    missing = str(tmp_path / "missing.wav")
    assert refusal(missing) == f"{missing}: does not exist"
    text = tmp_path / "text.wav"
    text.write_text("la la la")
    assert refusal(str(text)).startswith(f"{text}: is no audio file that can be read")


def test_a_value_needs_a_file():
    with pytest.raises(ValidationError, match="file"):
        Melody.Value()


def test_the_context_is_the_data():
    data = of_clip(hum(MELODIES[0]))[None]
    assert torch.equal(melody()(data, frames=200), data)
    part = melody(bins=36, dropout=0.5)
    assert (part.tokens, part.context_channels, part.dropout) == (0, 36, 0.5)


def test_readers_get_a_copy():
    wave = hum(MELODIES[0])
    copy = pickle.loads(pickle.dumps(melody()))
    assert torch.equal(copy.from_clip(mk.Clip(wave, "")), of_clip(wave))


def test_listening_takes_a_small_part_of_the_time_that_sounds():
    wave, part = hum(MELODIES[0]).repeat(2, 1), melody()
    part.from_clip(mk.Clip(wave, ""))
    begin = process_time()
    part.from_clip(mk.Clip(wave, ""))
    assert process_time() - begin < 0.05 * SECONDS
