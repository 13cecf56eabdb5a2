r"""Cut the shipped clips again from their Debian packages (a maintainers' tool).

    apt-get download fretsonfire-songs-muldjord fretsonfire-songs-sectoid \
        hyperrogue-music parsec47-data singularity-music
    for package in *.deb; do dpkg -x "$package" FOLDER; done
    python plugins/mousai_kit_clips/cut.py FOLDER

`music/manifest.json` says what to cut; the clips and `music/CREDITS.md` are written beside it.
Needs NumPy, soundfile and mutagen. The stream's serial number is drawn at random by the encoder,
so a clip's bytes differ from run to run; its sound does not.

Waves are float32 [t, c]: t samples, c channels.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import mutagen
import numpy as np
import numpy.typing as npt
import soundfile

Wave = npt.NDArray[np.float32]

MUSIC = Path(__file__).parent / "music"
SAMPLE_RATE = 48_000
MARGIN = 1  # seconds around a cut, so that the resampler's edges fall outside it
PEAK = 0.98
COMPRESSION_LEVEL = 0.4  # libsndfile's scale: 0 is Vorbis's best quality, 1 its smallest file


@dataclass(frozen=True)
class Entry:
    """One clip of the manifest."""

    file: str
    split: str
    title: str
    artist: str
    album: str
    genre: str
    year: int
    credit: str
    licence: str
    licence_files: list[str]
    source_package: str
    source_version: str
    source_files: list[str]
    start: float
    seconds: float
    notes: str


def cut_clips() -> None:
    """Write every clip of the manifest, then the credits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the packages were unpacked")
    folder = parser.parse_args().folder
    entries = [Entry(**entry) for entry in json.loads((MUSIC / "manifest.json").read_text())]
    changes = [write_clip(entry, folder) for entry in entries]
    paragraphs = [CREDITS_HEAD, *map(credit, entries, changes)]
    (MUSIC / "CREDITS.md").write_text("\n".join(paragraphs), encoding="utf-8")


def write_clip(entry: Entry, folder: Path) -> str:
    """Cut, convert, encode and tag one clip; return what was changed, in words."""
    sources = [folder / file for file in entry.source_files]
    tracks = [read_clip(source, entry.start, entry.seconds) for source in sources]
    wave: Wave = np.sum(tracks, axis=0, dtype=np.float32)
    changes = [f"cut to {entry.seconds:g} s"]
    if len(sources) > 1:
        changes.append("tracks mixed by plain addition")
    if (rate := soundfile.info(sources[0]).samplerate) != SAMPLE_RATE:
        changes.append(f"resampled from {rate} to {SAMPLE_RATE} Hz")
    if wave.shape[1] == 1:
        wave = wave.repeat(2, axis=1)
        changes.append("the one channel doubled to stereo")
    if (peak := float(np.abs(wave).max())) > 1:
        wave = wave * np.float32(PEAK / peak)
        changes.append(f"scaled by {PEAK / peak:.3f}, to a peak of {PEAK}")
    encode_opus(wave, MUSIC / entry.file)
    tag(entry)
    return ", ".join([*changes, "encoded anew as Ogg Vorbis", "tags completed"])


def read_clip(source: Path, start: float, seconds: float) -> Wave:
    """Return `seconds` of a file from `start` on, at 48 kHz."""
    rate = soundfile.info(source).samplerate
    first, frames = round((start - MARGIN) * rate), round((seconds + 2 * MARGIN) * rate)
    wave, _ = soundfile.read(source, frames, first, dtype="float32", always_2d=True)
    if len(wave) != frames:
        raise SystemExit(f"{source}: ends before {start + seconds + MARGIN:g} s")
    wave = resample_clip(wave, rate)
    margin = MARGIN * SAMPLE_RATE
    return wave[margin:-margin]


def resample_clip(wave: Wave, rate: int) -> Wave:
    """Return a wave of whole seconds at 48 kHz, by its Fourier series."""
    if rate == SAMPLE_RATE:
        return wave
    length = round(len(wave) / rate * SAMPLE_RATE)
    spectrum = np.fft.rfft(wave.astype(np.float64), axis=0)
    longer = np.fft.irfft(spectrum, length, axis=0) * (length / len(wave))
    return longer.astype(np.float32)


def encode_opus(wave: Wave, path: Path) -> None:
    """Write Ogg Vorbis, a second at a time: libsndfile's encoder can crash on one long write."""
    with soundfile.SoundFile(
        path,
        "w",
        samplerate=SAMPLE_RATE,
        channels=2,
        format="OGG",
        subtype="VORBIS",
        compression_level=COMPRESSION_LEVEL,
    ) as file:
        for start in range(0, len(wave), SAMPLE_RATE):
            file.write(wave[start : start + SAMPLE_RATE])


def tag(entry: Entry) -> None:
    """Put the manifest's tags into the clip."""
    file = mutagen.File(MUSIC / entry.file)
    file["title"] = entry.title
    file["artist"] = entry.artist
    file["album"] = entry.album
    file["genre"] = entry.genre
    file["date"] = str(entry.year)
    file["license"] = entry.licence
    file.save()


CREDITS_HEAD = """\
# Credits

The clips in this folder are cut from freely licensed game music, as packaged by Debian.
Each clip is under the licence of its source, named below; the texts are in `licences/`.
CC-BY-SA-3.0 is <http://creativecommons.org/licenses/by-sa/3.0/>: whoever passes a clip on, changed
or not, names the author, keeps the licence and says what was changed.
The authors do not endorse this project. `manifest.json` says where each tag comes from.

This page is written by `cut.py`; change `manifest.json` instead.
"""


def credit(entry: Entry, changes: str) -> str:
    """Return one clip's section of the credits."""
    texts = ", ".join(f"[{name}](licences/{name})" for name in entry.licence_files)
    files = ", ".join(f"`{file}`" for file in entry.source_files)
    return f"""\
## {entry.file}

- Title: {entry.title}
- Artist: {entry.artist}
- Credit: {entry.credit}
- Album: {entry.album}
- Year: {entry.year}
- Licence: {entry.licence} ({texts})
- Source: Debian package {entry.source_package} {entry.source_version}, {files}
- Start: {entry.start:g} s
- Changed: {changes}
"""


if __name__ == "__main__":
    cut_clips()
