"""Audio: files, tags, spectrograms, loudness."""

from __future__ import annotations

from mousai_kit.audio.io import (
    AudioInfo,
    audio_info,
    display_path,
    file_digest,
    mix_channels,
    read,
    resample,
)
from mousai_kit.audio.mel_picture import plot_mels
from mousai_kit.audio.spectrogram import StreamingMel, log_mel
from mousai_kit.audio.tags import read_tags
from mousai_kit.audio.wav_stream import WavStream
from mousai_kit.audio.writer import FORMATS, SILENCE, AudioWriter, write

__all__ = [
    "FORMATS",
    "SILENCE",
    "AudioInfo",
    "AudioWriter",
    "StreamingMel",
    "WavStream",
    "audio_info",
    "display_path",
    "file_digest",
    "log_mel",
    "mix_channels",
    "plot_mels",
    "read",
    "read_tags",
    "resample",
    "write",
]
