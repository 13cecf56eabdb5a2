"""MP3 files are as long as their frames, whatever headers say; their decoder stays quiet."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from mutagen.id3 import ID3, TIT2

from mousai_kit.audio import mp3
from mousai_kit.audio.analysis import analyze_file
from mousai_kit.audio.io import audio_info, read
from mousai_kit.audio.mp3 import _frames, count_frames
from mousai_kit.audio.tags import read_tags
from mousai_kit.core.errors import AudioError

RATE = 44_100
DECODER = 529
"""Samples that an MP3 decoder adds in front, which a header makes libmpg123 leave out."""


def lively(seconds: int, *, silence: int = 0, rate: int = RATE, channels: int = 2) -> bytes:
    """Return an MP3 of variable bitrate, with a Xing header: bursts of noise, silence in front."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (seconds * rate, channels))
    fading = np.exp(-(np.arange(seconds * rate) % rate) / rate * 12)
    wave = np.concatenate([np.zeros((silence * rate, channels)), noise * fading[:, None]])
    file = BytesIO()
    soundfile.write(file, wave, rate, format="MP3", bitrate_mode="VARIABLE")
    return file.getvalue()


def frames(data: bytes) -> list[bytes]:
    return [data[first:end] for first, end in _frames(data)]


def headless(data: bytes) -> bytes:
    """Return an MP3 without its Xing header, as `lame -t` writes it."""
    return b"".join(frames(data))


def with_count(data: bytes, count: int) -> bytes:
    """Return an MP3 whose Xing header counts so many frames."""
    place = max(data[:300].find(b"Xing"), data[:300].find(b"Info")) + 8
    return data[:place] + count.to_bytes(4) + data[place + 4 :]


def guess(data: bytes) -> float:
    """Return the duration by libsndfile (s)."""
    with soundfile.SoundFile(BytesIO(data)) as sound:
        return sound.frames / sound.samplerate


def saved(folder: Path, data: bytes) -> Path:
    path = folder / "a.mp3"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("silence", [0, 3])
@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (48_000, 1), (22_050, 2), (16_000, 1)])
def test_an_mp3_without_a_header_has_the_length_of_its_frames(
    tmp_path: Path, silence: int, rate: int, channels: int
) -> None:
    data = headless(lively(12, silence=silence, rate=rate, channels=channels))
    path, length = saved(tmp_path, data), 12 + silence
    assert abs(guess(data) - length) > 1  # or there were nothing to mend
    assert audio_info(path).seconds == pytest.approx(length, abs=0.15)
    wave = read(path, sample_rate=rate, channels=channels)
    assert wave.shape == (channels, audio_info(path).frames)
    assert wave[:, -6 * rate // 5 :].abs().max() > 0.1  # the last burst
    assert analyze_file(path).frames == wave.shape[1]


def test_its_samples_are_those_that_libsndfile_reads_of_it(tmp_path: Path) -> None:
    data = headless(lively(12, silence=3))
    plain = torch.from_numpy(soundfile.read(BytesIO(data), dtype="float32")[0]).T
    path = saved(tmp_path, data)
    assert torch.equal(read(path, sample_rate=RATE, channels=2), plain[:, DECODER:])
    crop = read(path, sample_rate=RATE, channels=2, start=10, seconds=1)
    assert torch.equal(crop, plain[:, DECODER + 10 * RATE : DECODER + 11 * RATE])


@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_count_that_cant_be_true_is_put_right(tmp_path: Path, share: float, rate: int) -> None:
    data = lively(12, rate=rate)
    path = saved(tmp_path, with_count(data, int(share * len(frames(data)))))
    assert guess(path.read_bytes()) < 11
    assert audio_info(path).seconds == pytest.approx(12, abs=0.15)
    assert read(path, sample_rate=rate, channels=2).shape[1] == audio_info(path).frames


@pytest.mark.parametrize("made", [lambda data: data, headless])
def test_mp3s_that_are_glued_together_are_as_long_as_both(tmp_path: Path, made: object) -> None:
    tagged = tmp_path / "tagged.mp3"
    tagged.write_bytes(lively(6))
    tags = ID3()
    tags.add(TIT2(text="second"))
    tags.save(tagged)
    path = saved(tmp_path, made(lively(12)) + tagged.read_bytes())  # type: ignore[operator]
    assert audio_info(path).seconds == pytest.approx(18, abs=0.2)
    wave = read(path, sample_rate=RATE, channels=2)
    assert wave.shape[1] == audio_info(path).frames
    assert wave[:, 33 * RATE // 2 :].abs().max() > 0.1


def test_junk_between_frames_is_no_audio(tmp_path: Path) -> None:
    whole = frames(lively(12))
    junk = np.random.default_rng(1).bytes(5_000)
    path = saved(tmp_path, b"".join([*whole[:100], junk, *whole[100:]]))
    assert audio_info(path).seconds == pytest.approx(12, abs=0.15)
    assert read(path, sample_rate=RATE, channels=2).shape[1] == audio_info(path).frames


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_header_that_is_right_is_believed(mode: str) -> None:
    file = BytesIO()
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (5 * RATE, 2))
    soundfile.write(file, wave, RATE, format="MP3", bitrate_mode=mode)
    assert count_frames(file, 5 * RATE, tolerance=0.0) is None


def test_a_guess_that_is_right_is_kept() -> None:
    file = BytesIO()
    soundfile.write(file, np.zeros((5 * RATE, 2)), RATE, format="MP3", bitrate_mode="CONSTANT")
    data = headless(file.getvalue())
    promised = round(guess(data) * RATE)
    assert count_frames(BytesIO(data), promised, tolerance=0.1) is None
    assert count_frames(BytesIO(data), promised // 2, tolerance=0.1) is not None


def test_an_mp3_within_another_file_is_counted_and_stays_open(tmp_path: Path) -> None:
    data = headless(lively(12, silence=3))
    file = BytesIO(data)
    assert audio_info(Path("a.tar/a.mp3"), file) == audio_info(saved(tmp_path, data))
    assert not file.closed


def test_notes_of_the_decoder_stay_off_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    junk = np.random.default_rng(1).bytes(70_000)
    whole = lively(12)
    for data in (junk, whole[:60_000] + junk + whole[60_000:]):
        path = saved(tmp_path, data)
        with pytest.raises(RuntimeError):
            soundfile.read(path)
        assert "libmpg123" in capfd.readouterr().err
        for use in (analyze_file, lambda path: read(path, sample_rate=RATE, channels=2)):
            with pytest.raises(AudioError):
                use(path)
        read_tags(path)
        assert capfd.readouterr().err == ""


def test_frames_are_counted_once_however_many_crops_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = headless(lively(8, silence=3))
    path = saved(tmp_path, data[: len(data) // 2] + bytes(1000) + data[len(data) // 2 :])
    counted = []
    monkeypatch.setattr(mp3, "_LAYOUTS", {})
    monkeypatch.setattr(mp3, "_frames", lambda data: counted.append(len(data)) or _frames(data))
    crops = [read(path, sample_rate=RATE, channels=2, start=4, seconds=1) for _ in range(3)]
    assert counted.count(path.stat().st_size) == 1
    assert crops[0].equal(crops[1])
    assert crops[0].equal(crops[2])
    path.write_bytes(headless(lively(2)))
    assert audio_info(path).seconds < 3
