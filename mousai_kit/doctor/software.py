"""Software: Python, mousai-kit, and the libraries that it stands on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import mousai_kit
from mousai_kit.doctor.finding import REINSTALL, Finding, ok, wrong


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
    needed = [it for it in asked if it.marker is None or it.marker.evaluate({"extra": ""})]
    bad = {str(it): _unfit(it.name, it.specifier) for it in needed}
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
        yield wrong("torch", told, "pip install --force-reinstall torch torchaudio")
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
        from mousai_kit.pure_torchaudio import torchaudio

        torchaudio.functional.resample(torch.zeros(1, 64), 2, 1)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        told = f"can't be used ({type(error).__name__}: {' '.join(str(error).split())})"
        yield wrong(
            "torchaudio",
            told,
            "install one that is made for this torch: "
            "pip install --force-reinstall torch torchaudio",
        )
        return
    compiled = getattr(sys.modules.get("torchaudio._extension"), "__file__", None)
    extension = "" if compiled else ", without its compiled extension, which is not needed"
    yield ok("torchaudio", f"{torchaudio.__version__}{extension}")
