"""Audio files are read, written, tagged and drawn; each defect has its own message."""

import errno
import os
from io import BytesIO
from math import pi
from pathlib import Path

import mutagen
import nano
import numpy as np
import pytest
import soundfile
import torch
from mutagen.apev2 import BINARY, APEv2, APEValue
from mutagen.id3 import APIC, ID3, TCON, TIT2, TPE1, TXXX
from mutagen.wave import WAVE
from torch import Tensor

from mousai_kit import audio
from mousai_kit.audio.analysis import analyze_file
from mousai_kit.audio.io import AudioInfo, audio_info, display_path, mix_channels, read, resample
from mousai_kit.audio.mel_picture import plot_mels
from mousai_kit.audio.spectrogram import StreamingMel, log_mel
from mousai_kit.audio.tags import read_tags as tags
from mousai_kit.audio.writer import write
from mousai_kit.core.errors import AudioError, RequestError

FORMATS = {
    "WAV": {"subtype": "FLOAT"},
    "FLAC": {"subtype": "PCM_24"},
    "OGG": {"subtype": "VORBIS"},
    "OPUS": {"format": "OGG", "subtype": "OPUS"},
    "MP3": {"bitrate_mode": "CONSTANT"},
}
"""What libsndfile can write of what is read."""
LOSSLESS = {"WAV", "FLAC"}


def sine(seconds: float, rate: int, channels: int = 2, hertz: float = 440.0) -> Tensor:
    """Return a sine [c, t]; each channel softer than the one before."""
    time = torch.arange(round(seconds * rate)) / rate
    return torch.stack([torch.sin(2 * pi * hertz * time) / (2 + c) for c in range(channels)])


def made(path: Path, wave: Tensor, rate: int, kind: str = "WAV") -> Path:
    soundfile.write(path, wave.T.numpy(), rate, **FORMATS[kind])
    return path


def refusal(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        read(path, sample_rate=48_000, channels=2)
    return str(caught.value)


# reading


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_back_what_was_written(tmp_path: Path, kind: str) -> None:
    wave = sine(2.0, 48_000)
    path = made(tmp_path / f"a.{kind.lower()}", wave, 48_000, kind)
    assert audio_info(path) == AudioInfo(96_000, 48_000, 2)
    back = read(path, sample_rate=48_000, channels=2)
    assert back.shape == (2, 96_000)
    assert back.dtype == torch.float32
    assert (back - wave)[:, :-1_000].abs().max() < (1e-6 if kind in LOSSLESS else 0.05)


@pytest.mark.parametrize("kind", FORMATS)
def test_audio_that_lies_open_is_read_as_from_its_own_file(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path / f"a.{kind.lower()}", sine(4.0, 48_000), 48_000, kind)
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    file.tags.add(TIT2(text="T")) if isinstance(file.tags, ID3) else file.update(title="T")
    file.save()
    crop = {"sample_rate": 48_000, "channels": 2, "start": 1.5, "seconds": 0.5}
    elsewhere = BytesIO(path.read_bytes())
    assert audio_info(Path("no/where"), elsewhere) == audio_info(path)
    assert torch.equal(read(Path("no/where"), elsewhere, **crop), read(path, **crop))
    assert tags(Path("no/where"), elsewhere)["title"] == "T"


def test_an_info_chunk_that_lies_open_is_read(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 8_000, 1) as file:
        file.title = "T"
        file.write(sine(1.0, 8_000, 1)[0].numpy())
    data = (tmp_path / "a.wav").read_bytes()
    assert tags(Path("no/where"), BytesIO(data))["title"] == "T"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty (0 bytes); leave it out"),
        (b"no audio", "is no audio file that can be read (Format not recognised)"),
    ],
)
def test_what_is_wrong_with_audio_that_lies_open_is_told_under_its_name(
    data: bytes, what: str
) -> None:
    with pytest.raises(AudioError) as caught:
        audio_info(Path("a.tar/song.mp3"), BytesIO(data))
    assert str(caught.value) == f"a.tar/song.mp3: {what}"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_crop_is_exactly_the_part_of_the_whole(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path / f"a.{kind.lower()}", sine(4.0, 48_000, hertz=3_000), 48_000, kind)
    whole = read(path, sample_rate=48_000, channels=2)
    for start in (0.0, 0.5, 1.2345, 3.4):
        crop = read(path, sample_rate=48_000, channels=2, start=start, seconds=0.5)
        first = round(start * 48_000)
        assert crop.shape == (2, 24_000)
        assert torch.allclose(crop, whole[:, first : first + 24_000], atol=1e-6)


def test_an_mp3s_crop_needs_the_frames_before_it(tmp_path: Path) -> None:
    """Seeking into its bit reservoir leaves the first frames damaged."""
    time = torch.arange(20 * 48_000, dtype=torch.float64) / 48_000
    pitches = (440 * (1 + 0.05 * time), 660)
    wave = 0.3 * torch.stack([torch.sin(2 * pi * pitch * time) for pitch in pitches])
    path = tmp_path / "a.mp3"
    soundfile.write(path, wave.T.float().numpy(), 48_000)
    whole = read(path, sample_rate=48_000, channels=2)
    with soundfile.SoundFile(path) as file:
        file.seek(123_456)
        plain = torch.from_numpy(file.read(4_800, dtype="float32")).T
    crop = read(path, sample_rate=48_000, channels=2, start=123_456 / 48_000, seconds=0.1)
    assert not torch.allclose(plain, whole[:, 123_456:128_256], atol=1e-2)
    assert torch.equal(crop, whole[:, 123_456:128_256])


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 44_101, 48_000, 96_000])
def test_any_rate_becomes_the_one_asked_for(tmp_path: Path, rate: int) -> None:
    path = made(tmp_path / "a.wav", sine(1.0, rate), rate)
    wave = read(path, sample_rate=48_000, channels=2)
    assert abs(wave.shape[1] - 48_000) <= 2
    middle = slice(10_000, 38_000)
    assert torch.allclose(wave[:, middle], sine(1.0, 48_000)[:, middle], atol=5e-3)


def test_rates_without_a_common_ratio_need_no_more_than_a_small_filter() -> None:
    for rate in (44_101, 37_999, 47_976):
        assert abs(len(resample(torch.randn(rate), rate, 48_000)) - 48_000) < 48  # 1.7 cents


def test_audio_at_the_rate_asked_for_is_not_touched() -> None:
    wave = torch.randn(2, 100)
    assert resample(wave, 48_000, 48_000) is wave


def test_mono_is_repeated(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", sine(0.1, 48_000, 1), 48_000)
    wave = read(path, sample_rate=48_000, channels=2)
    assert torch.equal(wave[0], wave[1])
    assert torch.equal(wave[:1], sine(0.1, 48_000, 1))


def test_six_channels_are_averaged_into_each(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", sine(0.1, 48_000, 6), 48_000)
    wave = read(path, sample_rate=48_000, channels=2)
    assert torch.allclose(wave, sine(0.1, 48_000, 6).mean(0).repeat(2, 1))
    assert torch.allclose(mix_channels(torch.ones(2, 5), 1), torch.ones(1, 5))


def test_samples_above_one_are_kept(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", sine(0.1, 48_000) * 5, 48_000)
    assert read(path, sample_rate=48_000, channels=2).max() > 2


def test_a_crop_that_the_file_ends_in_is_shorter(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", sine(1.0, 48_000), 48_000)
    crop = read(path, sample_rate=48_000, channels=2, start=0.75, seconds=5)
    assert crop.shape == (2, 12_000)


def test_any_file_name_is_read_and_can_be_shown(tmp_path: Path) -> None:
    names = {
        "Mûsai 🎵: a $b%.wav".encode(): "Mûsai 🎵: a $b%.wav",
        b"\x83p\x81[.wav": "\\x83p\\x81[.wav",
        b"line\nbreak.wav": "line\\nbreak.wav",
        b"x" * 251 + b".wav": "x" * 251 + ".wav",
    }
    for name, line in names.items():
        path = tmp_path / os.fsdecode(name)
        made(tmp_path / "a.wav", sine(0.1, 48_000), 48_000).replace(path)
        assert read(path, sample_rate=48_000, channels=2).shape == (2, 4_800)
        assert tags(path) == {}
        assert display_path(Path(path.name)) == line


# what can't be read


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    assert refusal(path) == f"{path}: does not exist"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: can't be read (Is a directory)"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert refusal(path) == f"{path}: is empty (0 bytes); leave it out"


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [
        ("wav", "Format not recognised"),
        ("flac", "Format not recognised"),
        ("ogg", "Format not recognised"),
        ("opus", "Format not recognised"),
        ("mp3", "Format not recognised"),
    ],
)
def test_text_that_is_called_audio(tmp_path: Path, suffix: str, reason: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("this is no music" * 99)
    assert refusal(path) == f"{path}: is no audio file that can be read ({reason})"


def test_a_header_without_audio(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", torch.zeros(2, 0), 48_000)
    assert refusal(path) == f"{path}: holds no audio; leave it out"


def test_a_header_with_no_channels(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", sine(0.1, 48_000), 48_000)
    data = bytearray(path.read_bytes())
    place = data.index(b"fmt ") + 10
    data[place : place + 2] = b"\0\0"
    path.write_bytes(data)
    assert refusal(path).startswith(f"{path}: is no audio file that can be read (")


def test_a_header_with_a_rate_that_cant_be_meant(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", sine(0.1, 48_000), 7)
    assert refusal(path) == (f"{path}: has a sample rate that can't be meant (7 Hz); leave it out")


def test_a_header_without_a_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "a.flac", sine(0.1, 48_000), 48_000, "FLAC")
    monkeypatch.setattr(soundfile.SoundFile, "frames", property(lambda _: 2**63 - 1))
    assert refusal(path) == (
        f"{path}: has a header that does not say how long it is; convert it to FLAC"
    )


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "a.wav", sine(0.1, 48_000), 48_000)

    def refused(self: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "open", refused)
    assert refusal(path) == f"{path}: can't be read (Permission denied)"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_samples_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    wave = sine(1.0, 48_000)
    wave[1, 30_000] = bad
    path = made(tmp_path / "a.wav", wave, 48_000)
    assert refusal(path) == (
        f"{path}: holds samples that are not finite (NaN or infinity); leave it out"
    )


def test_a_start_after_the_end(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", sine(1.0, 48_000), 48_000)
    with pytest.raises(AudioError) as caught:
        read(path, sample_rate=48_000, channels=2, start=3)
    assert str(caught.value) == f"{path}: has nothing at 3.00 s; it is 1.00 s long"


def cut(path: Path, fraction: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])
    return path


@pytest.mark.parametrize("kind", ["WAV", "OGG", "OPUS"])
def test_a_truncated_file_whose_header_shows_it_is_shorter(tmp_path: Path, kind: str) -> None:
    wave = torch.randn(2, 4 * 48_000, generator=torch.Generator().manual_seed(0)) / 10
    path = cut(made(tmp_path / f"a.{kind.lower()}", wave, 48_000, kind), 0.7)
    assert 1 < audio_info(path).seconds < 3
    back = read(path, sample_rate=48_000, channels=2)
    assert back.shape[1] == audio_info(path).frames


def test_a_truncated_flac_is_told_where_it_breaks_off(tmp_path: Path) -> None:
    wave = torch.randn(2, 4 * 48_000, generator=torch.Generator().manual_seed(0)) / 10
    path = cut(made(tmp_path / "a.flac", wave, 48_000, "FLAC"), 0.5)
    assert read(path, sample_rate=48_000, channels=2, seconds=1).shape == (2, 48_000)
    with pytest.raises(AudioError) as caught:
        read(path, sample_rate=48_000, channels=2, start=3, seconds=0.5)
    assert str(caught.value) == (
        f"{path}: can't be decoded from 3.00 s on (Internal psf_fseek() failed)"
    )


def test_a_truncated_mp3_is_told_where_it_ends(tmp_path: Path) -> None:
    path = cut(made(tmp_path / "a.mp3", sine(4.0, 48_000), 48_000, "MP3"), 0.5)
    message = refusal(path)
    end = float(message.removeprefix(f"{path}: is cut short at ").split(" s; ")[0])
    assert 1.5 < end < 2.5
    assert message == (
        f"{path}: is cut short at {end:.2f} s; its header promises 4.00 s: get it anew"
    )


# tags


@pytest.mark.parametrize("kind", FORMATS)
def test_tags_are_read_from_every_format(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    options = {**FORMATS[kind], "format": FORMATS[kind].get("format", kind)}
    with soundfile.SoundFile(path, "w", 48_000, 2, **options) as file:
        file.title, file.artist, file.date = "Crossroads", "NeonCorridor", "2013"
        file.write(sine(0.5, 48_000).T.numpy())
    found = tags(path)
    assert found["title"] == "Crossroads"
    assert found["artist"] == "NeonCorridor"
    assert found["date"] == "2013"


def test_of_a_tag_with_several_values_the_last_counts(tmp_path: Path) -> None:
    path = made(tmp_path / "a.ogg", sine(0.1, 48_000), 48_000, "OGG")
    file = mutagen.File(path)
    file["title"] = ["Caribbean", "Caribbean, Crossroads", "Crossroads"]
    file.save()
    assert tags(path)["title"] == "Crossroads"


@pytest.mark.parametrize("kind", ["OGG", "FLAC", "MP3", "WAV"])
def test_of_genres_and_artists_every_value_counts(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path / f"a.{kind.lower()}", sine(0.1, 48_000), 48_000, kind)
    told = {"genre": ["Rock", "Jazz", "Rock"], "artist": ["Ana", "Ben"], "title": ["A", "B"]}
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    for name, values in told.items():
        if kind in {"OGG", "FLAC"}:
            file[name] = values
        else:
            frame = {"genre": TCON, "artist": TPE1, "title": TIT2}[name]
            file.tags.add(frame(encoding=3, text=values))
    file.save()
    found = tags(path)
    assert {name: found[name] for name in told} == {
        "genre": "Rock, Jazz",
        "artist": "Ana, Ben",
        "title": "B",
    }


@pytest.mark.parametrize("lies_open", [False, True])
def test_a_wavs_info_stays_beside_its_id3_frames(tmp_path: Path, lies_open: bool) -> None:
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:
        file.title, file.artist, file.genre = "Info", "Ana", "Rock"
        file.write(sine(1.0, 8_000, 1)[0].numpy())
    wave = WAVE(path)
    wave.add_tags()
    wave.tags.add(TXXX(encoding=3, desc="REPLAYGAIN_TRACK_GAIN", text=["-3 dB"]))
    wave.tags.add(TIT2(encoding=3, text=["Frame"]))
    wave.save()
    found = tags(Path("no/where"), BytesIO(path.read_bytes())) if lies_open else tags(path)
    assert found == {
        "title": "Frame",
        "artist": "Ana",
        "genre": "Rock",
        "replaygain_track_gain": "-3 dB",
    }


def ape(path: Path) -> Path:
    items = APEv2()
    items.update({"Title": "A title of more than thirty letters", "Genre": ["Rock", "Jazz"]})
    items["Cover Art (Front)"] = APEValue(b"\x89PNG", BINARY)
    items.save(path)
    return path


@pytest.mark.parametrize("lies_open", [False, True])
def test_an_mp3s_ape_items_are_its_tags(tmp_path: Path, lies_open: bool) -> None:
    path = ape(made(tmp_path / "a.mp3", sine(1.0, 48_000), 48_000, "MP3"))
    found = tags(Path("no/where"), BytesIO(path.read_bytes())) if lies_open else tags(path)
    assert found == {"title": "A title of more than thirty letters", "genre": "Rock, Jazz"}


def test_ape_items_go_before_short_tags_and_after_id3s_second_version(tmp_path: Path) -> None:
    path = ape(made(tmp_path / "a.mp3", sine(1.0, 48_000), 48_000, "MP3"))
    frames = ID3()
    frames.add(TIT2(encoding=3, text=["Frame"]))
    frames.add(TPE1(encoding=3, text=["Ana"]))
    frames.save(path, v1=2)
    assert tags(path) == {"title": "Frame", "artist": "Ana", "genre": "Rock, Jazz"}
    frames.delete(path, delete_v1=False)
    assert tags(path) == {
        "title": "A title of more than thirty letters",
        "artist": "Ana",
        "genre": "Rock, Jazz",
    }


def test_shift_jis_bytes_and_pictures_do_no_harm(tmp_path: Path) -> None:
    path = made(tmp_path / "a.ogg", sine(0.1, 48_000), 48_000, "OGG")
    file = mutagen.File(path)
    file["comment"], file["title"] = "PLACEHOLDER", "ptn2"
    file.save()
    assert tags(path) == {"encoder": "libsndfile", "comment": "PLACEHOLDER", "title": "ptn2"}
    id3 = ID3()
    picture_frame = APIC(encoding=0, mime="image/png", type=3, desc="", data=b"\x89PNG")
    for frame in (
        TIT2(encoding=0, text=["\x83p\x81["]),
        TCON(encoding=3, text=["(17)"]),
        TXXX(encoding=3, desc="Mood", text=["calm"]),
        picture_frame,
    ):
        id3.add(frame)
    path = made(tmp_path / "a.mp3", sine(0.1, 48_000), 48_000, "MP3")
    id3.save(path)
    assert tags(path) == {"title": "\x83p\x81[", "genre": "Rock", "mood": "calm"}


@pytest.mark.parametrize("content", [b"", b"no music", b"ID3\x04\x00\x00\xff\xff\xff\xff", b"OggS"])
def test_files_without_tags_that_can_be_read_have_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    assert tags(path) == {}
    assert tags(tmp_path / "missing.ogg") == {}


# what lies in a header is not always so


@pytest.mark.parametrize("lies_open", [False, True])
@pytest.mark.parametrize("riff", [0, 36, 0xFFFFFFFF])
def test_a_wav_that_nobody_closed_is_read_to_its_end(
    tmp_path: Path, riff: int, lies_open: bool
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(1.0, 48_000).T.numpy(), 48_000, subtype="PCM_16")
    whole = read(path, sample_rate=48_000, channels=2)
    data = bytearray(path.read_bytes())
    size = data.index(b"data") + 4
    data[4:8], data[size : size + 4] = riff.to_bytes(4, "little"), bytes(4)
    path.write_bytes(data)
    file = BytesIO(bytes(data)) if lies_open else None
    assert audio_info(path, file) == AudioInfo(48_000, 48_000, 2)
    if file:
        file.seek(0)
    assert torch.equal(read(path, file, sample_rate=48_000, channels=2), whole)
    assert path.read_bytes() == data


def test_a_wav_that_was_closed_without_audio_has_none(tmp_path: Path) -> None:
    path = made(tmp_path / "a.wav", torch.zeros(2, 0), 48_000)
    with path.open("ab") as file:
        file.write(b"LIST\x04\0\0\0INFO")
    data = bytearray(path.read_bytes())
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    path.write_bytes(data)
    assert refusal(path) == f"{path}: holds no audio; leave it out"


@pytest.mark.parametrize("peak", [8.01, 32_768, 1e29])
def test_samples_far_beyond_full_scale_are_no_music(tmp_path: Path, peak: float) -> None:
    wave = sine(1.0, 48_000)
    wave[1, 30_000] = -peak
    path = made(tmp_path / "a.wav", wave, 48_000)
    message = (
        f"{path}: holds samples beyond 8 times full scale; scale it to [-1, 1], or leave it out"
    )
    assert refusal(path) == message
    with pytest.raises(AudioError) as caught:
        analyze_file(path)
    assert str(caught.value) == message
    assert read(path, sample_rate=48_000, channels=2, seconds=0.5).shape == (2, 24_000)


# writing


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_written_clip_comes_back_with_its_tags(tmp_path: Path, suffix: str) -> None:
    wave = sine(2.5, 48_000)
    notes = {
        "title": "Egyptian Darbuka, 2 of 4",
        "seed": "7",
        "prompt": "ein Stück\nin zwei Zeilen 🎵 \udcff\0.",
        "recipe": "a" * 64,
        "software": "mousai-kit 0.1.0",
        "comment": "x" * 10_000,
    }
    path = tmp_path / f"clip{suffix}"
    write(path, wave, sample_rate=48_000, tags=notes)
    back = read(path, sample_rate=48_000, channels=2)
    assert back.shape == wave.shape
    assert (back - wave).abs().max() < (1e-6 if suffix != ".ogg" else 0.05)
    found = tags(path)
    assert {name: found[name] for name in notes} == {
        **notes,
        "prompt": "ein Stück\nin zwei Zeilen 🎵 ? .",
    }
    assert list(tmp_path.iterdir()) == [path]


def test_a_long_vorbis_clip_can_be_written(tmp_path: Path) -> None:
    write(tmp_path / "a.ogg", sine(60.0, 48_000), sample_rate=48_000, tags={})
    assert audio_info(tmp_path / "a.ogg").seconds == 60.0


def test_peaks_above_one_are_scaled_down_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", sine(0.1, 48_000) * 10, sample_rate=48_000, tags={})
    back = read(tmp_path / "a.wav", sample_rate=48_000, channels=2)
    assert torch.allclose(back, sine(0.1, 48_000) * 2, atol=1e-3)


SILENT = (
    "the audio made is silent (peak under -80 dB), so nothing was written; "
    "train longer, or try another seed or a lower guidance"
)
BROKEN = (
    "the audio made is not finite (NaN or infinity), so nothing was written; "
    "the weights are broken or precision is too low: try `precision: fp32`"
)


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (torch.zeros(2, 100), SILENT),
        (torch.full((2, 100), 5e-5), SILENT),
        (torch.zeros(2, 0), SILENT),
        (torch.full((2, 100), float("nan")), BROKEN),
        (torch.tensor([[0.5, float("inf")]]), BROKEN),
    ],
)
def test_silence_and_nan_are_refused_and_leave_no_file(
    tmp_path: Path, wave: Tensor, message: str
) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(AudioError) as caught:
        write(path, wave, sample_rate=48_000, tags={})
    assert str(caught.value) == f"{path}: {message}"
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_cant_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    with pytest.raises(RequestError) as caught:
        write(path, sine(0.1, 48_000), sample_rate=48_000, tags={})
    assert str(caught.value) == (
        f"{path}: can't be written as '.mp3'; use one of .flac, .wav, .ogg"
    )


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.wav"
    with pytest.raises(AudioError) as caught:
        write(path, sine(0.1, 48_000), sample_rate=48_000, tags={})
    assert str(caught.value) == f"{path}: can't be written (No such file or directory)"


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
@pytest.mark.parametrize("size", [0, 100, 30_000, 400_000])
def test_a_full_disk_leaves_the_old_file_and_no_part(
    tmp_path: Path, suffix: str, size: int
) -> None:
    """0: nothing fits; 400,000: what waits to be encoded fits, and the file or its tags do not."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    wave, notes = sine(1.0, 48_000), {"title": "x" * 500_000}
    with nano.full_disk(size), pytest.raises(AudioError) as caught:
        write(path, wave, sample_rate=48_000, tags=notes)
    assert str(caught.value) == f"{path}: can't be written (File too large)"
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_more_channels_than_a_format_has(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    with pytest.raises(AudioError) as caught:
        write(path, sine(0.1, 48_000, 9), sample_rate=48_000, tags={})
    assert str(caught.value) == f"{path}: can't be written (Format not recognised)"
    assert list(tmp_path.iterdir()) == []


# mel


def test_a_sine_is_loudest_in_the_mel_band_of_its_frequency() -> None:
    """Slaney's scale: linear to 1 kHz, 200/3 Hz a mel; 128 bands up to 24 kHz."""
    mel = log_mel(sine(1.0, 48_000, 1, 1_000.0), 48_000)
    assert mel.shape == (1, 128, 94)
    top = 15 + 27 * np.log(24) / np.log(6.4)
    assert int(mel[0, :, 40].argmax()) == round(15 / top * 129) - 1
    assert mel[0, :, 40].max().item() == pytest.approx(GOLDEN_DB, abs=0.01)
    assert (mel[0, 60:, 40] == -80).all()


GOLDEN_DB = 12.713


def test_ten_times_the_amplitude_is_twenty_db_more() -> None:
    soft, loud = (log_mel(sine(0.5, 48_000, 1) * gain, 48_000).max() for gain in (0.1, 1.0))
    assert (loud - soft).item() == pytest.approx(20, abs=1e-3)


def test_silence_is_the_floor_and_short_audio_has_a_spectrogram() -> None:
    assert (log_mel(torch.zeros(2, 10), 48_000) == -80).all()
    assert log_mel(torch.zeros(3, 2, 5_000), 48_000).shape == (3, 2, 128, 10)


def test_a_mel_picture_is_drawn_whatever_the_title(tmp_path: Path) -> None:
    titles = ["plain", "$x^ {broken", "two\nlines 🎵 Moûsai", "x" * 10_000]
    plot_mels(tmp_path / "a.png", {it: StreamingMel.of(sine(0.5, 48_000), 48_000) for it in titles})
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_public_names_are_one_list() -> None:
    assert all(hasattr(audio, name) for name in audio.__all__)
