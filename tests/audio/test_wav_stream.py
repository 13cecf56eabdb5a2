"""WAV streams: the samples of a file, from the first piece on, without a size."""

import math
import os
from io import BytesIO

import pytest
import soundfile
import torch

from mousai_kit import audio
from mousai_kit.core.errors import AudioError

RATE = 8000


class Pipe(BytesIO):
    """Takes a thousand bytes at a time, and never goes back."""

    def seekable(self):
        return False

    def write(self, data):
        return super().write(bytes(data[:1000]))


def stream_to(file, wave, *, pieces=700):
    sound = audio.WavStream(file, name="a.wav", sample_rate=RATE, channels=len(wave))
    for piece in wave.split(pieces, -1):
        sound.add(piece)
    sound.finish()
    return sound


def noise(channels=2, samples=20_001):
    return 0.2 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_has_the_samples_of_a_written_one(tmp_path, channels):
    wave = noise(channels)
    audio.write(tmp_path / "written.wav", wave, sample_rate=RATE, tags={})
    with (tmp_path / "streamed.wav").open("wb", buffering=0) as file:
        stream_to(file, wave)
    read, written = (
        soundfile.read(tmp_path / name, dtype="int32")[0]
        for name in ("streamed.wav", "written.wav")
    )
    assert (read == written).all()
    assert soundfile.info(tmp_path / "streamed.wav").subtype == "PCM_24"


def test_a_pipe_gets_the_same_with_sizes_that_say_nothing(tmp_path):
    pipe = Pipe()
    stream_to(pipe, noise())
    header, data = pipe.getvalue()[:44], pipe.getvalue()[44:]
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        stream_to(file, noise())
    closed = (tmp_path / "a.wav").read_bytes()
    assert (header[4:8], header[40:44]) == (b"\xff" * 4, b"\xff" * 4)
    assert closed[4:8] == (len(closed) - 8).to_bytes(4, "little")
    assert closed[40:44] == len(data).to_bytes(4, "little")
    assert (closed[:4] + closed[8:40], closed[44:]) == (header[:4] + header[8:40], data)


def test_what_a_pipe_got_is_read_as_audio(tmp_path):
    pipe, wave = Pipe(), noise()
    stream_to(pipe, wave)
    path = tmp_path / "a.wav"
    path.write_bytes(pipe.getvalue())
    read = audio.read(path, sample_rate=RATE, channels=2)
    torch.testing.assert_close(read, wave, atol=2**-22, rtol=0)


def test_the_header_comes_with_the_first_piece_and_each_piece_at_once():
    pipe = Pipe()
    sound = audio.WavStream(pipe, name="-", sample_rate=RATE, channels=1)
    assert pipe.getvalue() == b""
    sound.add(torch.zeros(1, 100))
    assert len(pipe.getvalue()) == 44 + 300
    sound.add(torch.zeros(1, 10))
    assert len(pipe.getvalue()) == 44 + 330


def test_what_is_beyond_1_is_cut_off_and_the_rest_stays(tmp_path):
    wave = 3 * noise(1)
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        sound = stream_to(file, wave)
    assert sound.peak == wave.abs().max()
    read = audio.read(tmp_path / "a.wav", sample_rate=RATE, channels=1)
    torch.testing.assert_close(read, wave.clamp(-1, 1), atol=2**-22, rtol=0)


SILENT = (
    "a.wav: the audio made is silent (peak under -80 dB); train longer, or try another seed or a "
    "lower guidance"
)
NOT_FINITE = (
    "a.wav: the audio made is not finite (NaN or infinity), so that it ends here; the weights are "
    "broken or precision is too low: try `precision: fp32`"
)


@pytest.mark.parametrize(("value", "told"), [(0.0, SILENT), (math.nan, NOT_FINITE)])
def test_silence_and_nan_are_an_error(value, told):
    with pytest.raises(AudioError) as refused:
        stream_to(Pipe(), torch.full((1, 1000), value))
    assert str(refused.value) == told


def test_a_listener_that_is_gone_is_told_by_the_system():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb", buffering=0) as file, pytest.raises(BrokenPipeError):
        stream_to(file, noise())
