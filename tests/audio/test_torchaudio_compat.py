"""torchaudio loads where its compiled extension cannot, and is left alone where it can."""

import os
import subprocess
import sys
from pathlib import Path

SHOW = (
    "from mousai_kit.audio.torchaudio_compat import torchaudio as t; import sys;"
    "print(t.answer, getattr(sys.modules['torchaudio._extension'], 'plain', 'stub'))"
)


def run(code: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    here = str(Path(__file__).parents[2])
    path = os.pathsep.join(([str(folder)] if folder else []) + [here])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def fake(folder: Path, extension: str) -> Path:
    """Make a torchaudio whose `_extension` holds this code."""
    package = folder / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text("from . import _extension\nanswer = 42\n")
    (package / "_extension.py").write_text(extension)
    return folder


def test_a_torchaudio_that_works_is_imported_as_it_is(tmp_path: Path) -> None:
    result = run(SHOW, fake(tmp_path, "plain = 'its own'\n"))
    assert (result.stdout, result.stderr) == ("42 its own\n", "")


def test_an_extension_that_misses_cudas_libraries_is_replaced(tmp_path: Path) -> None:
    result = run(SHOW, fake(tmp_path, "raise OSError('libc10_cuda.so: cannot open')\n"))
    assert (result.stdout, result.stderr) == ("42 stub\n", "")


def test_an_extension_of_another_cuda_is_replaced(tmp_path: Path) -> None:
    result = run(SHOW, fake(tmp_path, "raise RuntimeError('compiled with different CUDA')\n"))
    assert (result.stdout, result.stderr) == ("42 stub\n", "")


def test_what_is_used_of_torchaudio_works() -> None:
    code = (
        "from mousai_kit.audio.torchaudio_compat import torchaudio as t; import torch;"
        "f = t.functional;"
        "print(tuple(f.resample(torch.randn(2, 441), 441, 480).shape));"
        "print(tuple(f.melscale_fbanks(257, 0.0, 8000.0, 20, 16000).shape));"
        "print(tuple(t.transforms.GriffinLim(256, n_iter=2)(torch.rand(129, 9)).shape))"
    )
    result = run(code)
    assert result.stdout == "(2, 480)\n(257, 20)\n(1024,)\n", result.stderr


def test_a_library_that_imports_torchaudio_by_itself_works_afterwards() -> None:
    shim = "mousai_kit.audio.torchaudio_compat"
    code = f"import {shim}, torchaudio; print(torchaudio.functional.resample)"
    assert run(code).returncode == 0
