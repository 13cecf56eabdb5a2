"""Music that was made: audio with its prompt and seed, to hear in a notebook and to save.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mousai_kit import audio
from mousai_kit.audio.io import encode
from mousai_kit.core.errors import RequestError, format_value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GeneratedAudio:
    """A clip that was made from a prompt. As a notebook cell's last value it shows a player."""

    audio: Tensor
    """Audio [c, t], float32 on the CPU. Peaks may exceed 1: `save` scales the whole then."""
    sample_rate: int
    """Samples per second."""
    prompt: str
    """The text that it was made from."""
    seed: int
    """The seed of its noise."""
    tags: Mapping[str, str]
    """What its file says of it: prompt, seed, recipe, weights, steps."""

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return self.audio.shape[-1] / self.sample_rate

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write a FLAC, WAV or Ogg Vorbis file (by suffix), tagged; return it.

        A folder that is missing is made. RequestError where the file is there and `force` is not
        given, or for another suffix; AudioError where the audio is silent or not finite.
        """
        file = Path(path)
        if file.exists() and not force:
            told = "is there already; name another file or use force=True"
            raise RequestError.about(audio.display_path(file), told)
        if file.suffix.lower() in audio.FORMATS:
            file.parent.mkdir(parents=True, exist_ok=True)
        audio.write(file, self.audio, sample_rate=self.sample_rate, tags=self.tags)
        return file

    def mel(self, bands: int = 80) -> Tensor:
        """Return the log-mel spectrogram [c, bands, frames] in dB; bands are 1 to 512."""
        if not (isinstance(bands, int) and 1 <= bands <= 512):
            raise RequestError(f"bands: must be 1 to 512 (got {format_value(bands)})")
        return audio.log_mel(self.audio, self.sample_rate, bands=bands)

    def __repr__(self) -> str:
        channels = len(self.audio)
        size = f"{self.seconds:g} s, {self.sample_rate} Hz, {channels} channel"
        told = f"{format_value(self.prompt)}, seed {self.seed}, {size}"
        return f"GeneratedAudio({told}{'' if channels == 1 else 's'})"

    def _repr_html_(self) -> str:
        """Return the prompt and a player that holds the audio, which notebooks show."""
        data = b64encode(self._wav()).decode()
        caption = f"{self.prompt} (seed {self.seed}, {self.seconds:.1f} s)"
        return (
            f"<figure><figcaption>{escape(caption)}</figcaption>"
            f'<audio controls src="data:audio/wav;base64,{data}"></audio></figure>'
        )

    def _wav(self) -> bytes:
        """Return a WAV file of 16 bits, no louder than 1: what every browser plays."""
        file = BytesIO()
        encode(
            file,
            self._by_the_second(),
            channels=len(self.audio),
            sample_rate=self.sample_rate,
            kind="WAV",
            encoding="PCM_16",
        )
        return file.getvalue()

    def _by_the_second(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the audio [n, c]; what is not finite is silent."""
        wave = self.audio.nan_to_num(0.0, 0.0, 0.0)
        scaled = (wave / wave.abs().amax().clamp(min=1)).T.contiguous()
        yield from (piece.numpy() for piece in scaled.split(self.sample_rate))
