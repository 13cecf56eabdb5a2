"""Software: Python, mousai-kit, the libraries that it stands on, and their formats of audio."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from io import BytesIO
from math import pi
from pathlib import Path

import mousai_kit
from mousai_kit.cli.doctor.finding import REINSTALL, Finding, note, ok, wrong

MEND_TORCH = "pip install --force-reinstall torch torchaudio"


def python() -> Iterator[Finding]:
    """Check Python's version against what mousai-kit asks for."""
    from packaging.specifiers import SpecifierSet

    version = ".".join(map(str, sys.version_info[:3]))
    asked = distribution("mousai-kit").metadata["Requires-Python"]
    if SpecifierSet(asked or "").contains(version, prereleases=True):
        yield ok("Python", f"{version} ({sys.executable})")
    else:
        told = f"{version} is not {asked}, which mousai-kit needs ({sys.executable})"
        yield wrong("Python", told, "make an environment with another Python")


def mousai_kit_itself() -> Iterator[Finding]:
    """Tell which mousai-kit this is, and whether it is the one that is installed."""
    folder = Path(mousai_kit.__file__).parent
    try:
        dist = distribution("mousai-kit")
    except PackageNotFoundError:
        told = f"{mousai_kit.__version__} in {folder}, but not installed: no plug-in is found"
        yield wrong("mousai-kit", told, f"pip install -e {folder.parent}")
        return
    told = f"{mousai_kit.__version__}, {_how(dist)} ({folder})"
    if dist.version == mousai_kit.__version__:
        yield ok("mousai-kit", told)
    else:
        again = f"pip install -e {folder.parent}" if "editable" in told else REINSTALL
        yield wrong("mousai-kit", f"{told}, but {dist.version} is what pip knows of", again)


def _how(dist: Distribution) -> str:
    """Return how the package was installed."""
    origin = json.loads(dist.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return "editable"
    return f"installed from {origin['url']}" if "url" in origin else "installed"


def libraries() -> Iterator[Finding]:
    """Check that all that mousai-kit needs is there in a version that it can use."""
    from packaging.requirements import Requirement

    asked = [Requirement(text) for text in distribution("mousai-kit").requires or ()]
    needed = [item for item in asked if item.marker is None or item.marker.evaluate({"extra": ""})]
    bad = {str(item): _unfit(item.name, item.specifier) for item in needed}
    for requirement, told in bad.items():
        if told:
            yield wrong("libraries", told, f'pip install "{requirement}"')
    if not any(bad.values()):
        yield ok("libraries", f"all {len(needed)} that mousai-kit needs, in versions that fit")


def _unfit(name: str, versions: object) -> str:
    """Return what is wrong with an installed library, empty where it fits."""
    from packaging.specifiers import SpecifierSet

    try:
        there = distribution(name).version
    except PackageNotFoundError:
        return f"{name} is not installed"
    fits = SpecifierSet(str(versions)).contains(there, prereleases=True)
    return "" if fits else f"{name} {there} is installed, but {name}{versions} is needed"


def torch_itself() -> Iterator[Finding]:
    """Import torch, and tell how it was built and how many threads it uses."""
    try:
        import torch
    except (ImportError, OSError) as error:
        told = f"can't be imported ({type(error).__name__}: {' '.join(str(error).split())})"
        yield wrong("torch", told, MEND_TORCH)
        return
    cuda, rocm = torch.version.cuda, torch.version.hip
    build = f"CUDA {cuda}" if cuda else f"ROCm {rocm}" if rocm else "CPU only"
    threads = torch.get_num_threads()
    parts = (torch.__version__, build, f"{threads} thread{'s' if threads > 1 else ''}")
    yield ok("torch", ", ".join([*parts, *_instructions()]))


def _instructions() -> list[str]:
    """Return what of the processor torch makes use of, as far as this torch says."""
    import torch

    capability = getattr(torch.backends.cpu, "get_cpu_capability", lambda: "")()
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    fast = "fast bf16 (AMX)" if amx else "fast bf16 (AVX-512)" if bf16 else ""
    return [word for word in (capability, fast) if word and word != "DEFAULT"]


def torchaudio_itself() -> Iterator[Finding]:
    """Import torchaudio, and run what is used of it."""
    import torch

    try:
        from mousai_kit.audio.torchaudio_compat import torchaudio

        torchaudio.functional.resample(torch.zeros(1, 64), 2, 1)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        told = f"can't be used ({type(error).__name__}: {' '.join(str(error).split())})"
        yield wrong("torchaudio", told, f"install one that is made for this torch: {MEND_TORCH}")
        return
    compiled = getattr(sys.modules.get("torchaudio._extension"), "__file__", None)
    extension = "" if compiled else ", without its compiled extension, which is not needed"
    yield ok("torchaudio", f"{torchaudio.__version__}{extension}")


FORMATS = {
    "WAV": ("WAV", "PCM_24", True),
    "FLAC": ("FLAC", "PCM_24", True),
    "Ogg Vorbis": ("OGG", "VORBIS", True),
    "Ogg Opus": ("OGG", "OPUS", False),
    "MP3": ("MP3", "MPEG_LAYER_III", False),
}
"""libsndfile's names of format and encoding, and whether mousai-kit itself writes such files."""
RATE, FREQUENCY, FRAMES = 48_000, 440.0, 24_000
"""A tone of half a second, in Hz and samples."""
MEND = "pip install --force-reinstall soundfile (its wheel has a libsndfile with all formats)"


def formats() -> Iterator[Finding]:
    """Write a short tone in every format, read it back, and compare."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        told = f"soundfile can't be imported ({' '.join(str(error).split())})"
        yield wrong("audio", told, MEND)
        return
    faults = {name: _fault(kind, encoding) for name, (kind, encoding, _) in FORMATS.items()}
    good = [name for name, fault in faults.items() if not fault]
    if good:
        yield ok("audio", f"{', '.join(good)} (libsndfile {soundfile.__libsndfile_version__})")
    for name, fault in faults.items():
        if fault:
            tell = wrong if FORMATS[name][2] else note
            yield tell("audio", f"{name} can't be {fault}", MEND)


def _fault(kind: str, encoding: str) -> str:
    """Return what can't be done with a format, empty where all is well."""
    import numpy as np
    import soundfile

    tone = 0.5 * np.sin(2 * pi * FREQUENCY / RATE * np.arange(FRAMES))
    file = BytesIO()
    try:
        soundfile.write(file, tone, RATE, format=kind, subtype=encoding)
    except (RuntimeError, ValueError, TypeError) as error:
        return f"written ({_reason(error)})"
    file.seek(0)
    try:
        read, rate = soundfile.read(file)
    except (RuntimeError, ValueError, TypeError) as error:
        return f"read ({_reason(error)})"
    middle = np.abs(np.fft.rfft(read[FRAMES // 4 : FRAMES * 3 // 4]))
    heard = float(middle.argmax()) * rate / (FRAMES // 2)
    same = rate == RATE and len(read) >= FRAMES and abs(heard - FREQUENCY) < 5
    return "" if same else "read back as it was written"


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
