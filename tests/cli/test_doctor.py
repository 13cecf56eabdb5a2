"""The doctor: every check is made to fail, and says what is wrong and how to mend it."""
# ruff: noqa: E501 (a line that is compared whole stands on one line)

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import fake_hub
import pytest
import torch
from shelf import GOOD

import mousai_kit
from mousai_kit.cli import doctor
from mousai_kit.cli.doctor import components, machine, software
from mousai_kit.cli.doctor import machine as network
from mousai_kit.cli.doctor import software as sound
from mousai_kit.cli.doctor.finding import Finding
from mousai_kit.models import device, memory

HEALTHY = """\
ok     Python      3\\.\\d+\\.\\d+ (.*)
ok     mousai-kit  \\d.*, (editable|installed.*) \\(.*mousai_kit\\)
ok     libraries   all \\d+ that mousai-kit needs, in versions that fit
ok     torch       \\d.*, (CPU only|CUDA .*|ROCm .*), \\d+ threads?.*
ok     torchaudio  \\d.*
(ok  |note)   device      .*
(ok  |note)   memory      \\d.* GiB free.*
(ok  |note)   disk        .* GiB free in .*
ok     audio       WAV, FLAC, Ogg Vorbis, Ogg Opus, MP3 \\(libsndfile .*\\)
note   hub         no model can be fetched: HF_HUB_OFFLINE is set
                   -> only recipes that name a model of the hub need it, once; see HF_HUB_OFFLINE, HF_ENDPOINT and HTTPS_PROXY
(ok  |note)   models      google-t5/t5-base, for mousai-64x and mousai-paper and stable-audio: .*
ok     plug-ins    .*clips.*mousai.*: \\d+ components for mousai_kit.v1
ok     recipes     mousai, mousai-64x, mousai-melody, mousai-paper, mousai-small, mousai-tiny, mousai-tune, riffusion, riffusion-small, stable-audio, stable-audio-small: found and valid
(ok  |note)   trained     .*

nothing is wrong
"""
PROGRAM = [sys.executable, "-c", "from mousai_kit.cli import main; main()", "doctor"]


@pytest.fixture(autouse=True)
def fresh():
    """What is installed is looked for anew, before and after."""
    components.installed_once.cache_clear()
    yield
    components.installed_once.cache_clear()


def lines(found):
    return [(it.state, it.message, it.fix) for it in found]


# all of it


def test_a_healthy_installation_is_told_line_by_line(command, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    answer = command("doctor")
    shown = [it for it in answer.out.splitlines() if "->" not in it or "HF_HUB_OFFLINE" in it]
    expected = HEALTHY.splitlines()
    assert len(shown) == len(expected), answer.out
    pairs = zip(shown, expected, strict=True)
    assert [line for line, pattern in pairs if not re.fullmatch(pattern, line)] == []
    assert (answer.code, answer.err) == (0, "")
    values = json.loads(command("doctor", "--json").out)
    assert {it["subject"] for it in values} == set(doctor.CHECKS)
    assert all(set(it) == {"subject", "state", "message", "fix"} for it in values)


def test_the_page_shows_every_check_in_order():
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    shown = re.findall(r"^(?:ok|note|wrong) +([\w-]+) ", page, re.MULTILINE)
    assert list(dict.fromkeys(shown)) == list(doctor.CHECKS)


def test_a_torch_that_does_not_load_is_one_line_and_the_rest_is_checked(here):
    (here / "torch").mkdir()
    (here / "torch" / "__init__.py").write_text("raise OSError('libtorch_cpu.so:\\n not found')")
    path = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        PROGRAM,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert (
        "wrong  torch       can't be imported (OSError: libtorch_cpu.so: not found)\n"
        "                   -> pip install --force-reinstall torch torchaudio\n"
        "note   torchaudio  can't be checked (OSError: libtorch_cpu.so: not found)\n"
        "                   -> mend what is wrong above\n"
    ) in done.stdout
    assert done.stdout.endswith("\n1 thing is wrong\n")
    assert "ok     audio       WAV, FLAC" in done.stdout
    assert "ok     disk " in done.stdout


def test_what_is_wrong_makes_the_exit_code_1_and_is_counted(command, monkeypatch):
    def checks(count):
        return {
            str(it): lambda: [Finding("disk", "wrong", "is [full]", "tidy")] for it in range(count)
        }

    for count, told in ((1, "1 thing is wrong"), (2, "2 things are wrong")):
        monkeypatch.setattr(doctor, "CHECKS", checks(count))
        line = "wrong  disk        is [full]\n                   -> tidy\n"
        answer = command("doctor")
        assert (answer.code, answer.out, answer.err) == (1, f"{count * line}\n{told}\n", "")


def test_a_check_that_fails_is_a_finding_itself(monkeypatch):
    def crash():
        yield Finding("x", "ok", "never told")
        raise ValueError("no\n\x1bluck")

    def unable():
        raise ModuleNotFoundError("No module named 'numpy'")

    monkeypatch.setattr(doctor, "CHECKS", {"disk": crash, "audio": unable})
    assert doctor.run_checks() == [
        Finding(
            "disk",
            "wrong",
            "the check failed (ValueError: no \\x1bluck)",
            "mend what is wrong above; else pip install --force-reinstall mousai-kit",
        ),
        Finding(
            "audio",
            "note",
            "can't be checked (ModuleNotFoundError: No module named 'numpy')",
            "mend what is wrong above",
        ),
    ]


# software


@pytest.fixture
def other_metadata(shelf):
    """What pip would know of another mousai-kit."""
    shelf.describe(
        "mousai-kit",
        "",
        "Name: mousai-kit\nVersion: 0.0.1\nRequires-Python: >=3.99\n"
        "Requires-Dist: no-such-library>=1\nRequires-Dist: pydantic>=99\nRequires-Dist: numpy\n"
        "Requires-Dist: what-tests-need; extra == 'test'\n",
    )


def test_another_python(other_metadata):
    version = ".".join(map(str, sys.version_info[:3]))
    assert lines(software.python()) == [
        (
            "wrong",
            f"{version} is not >=3.99, which mousai-kit needs ({sys.executable})",
            "make an environment with another Python",
        )
    ]


def test_a_mousai_kit_that_pip_knows_as_another_version(other_metadata):
    folder = Path(mousai_kit.__file__).parent
    told = f"{mousai_kit.__version__}, installed ({folder}), but 0.0.1 is what pip knows of"
    assert lines(software.mousai_kit_itself()) == [
        ("wrong", told, "pip install --force-reinstall mousai-kit")
    ]


def test_a_mousai_kit_that_is_not_installed(monkeypatch):
    def missing(name):
        raise software.PackageNotFoundError(name)

    monkeypatch.setattr(software, "distribution", missing)
    folder = Path(mousai_kit.__file__).parent
    assert lines(software.mousai_kit_itself()) == [
        (
            "wrong",
            f"{mousai_kit.__version__} in {folder}, but not installed: no plug-in is found",
            f"pip install -e {folder.parent}",
        )
    ]


def test_libraries_that_are_missing_or_too_old(other_metadata):
    from pydantic import VERSION

    assert lines(software.libraries()) == [
        ("wrong", "no-such-library is not installed", 'pip install "no-such-library>=1"'),
        (
            "wrong",
            f"pydantic {VERSION} is installed, but pydantic>=99 is needed",
            'pip install "pydantic>=99"',
        ),
    ]


def test_a_torchaudio_that_does_not_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "mousai_kit.audio.torchaudio_compat", None)
    assert lines(software.torchaudio_itself()) == [
        (
            "wrong",
            "can't be used (ModuleNotFoundError: import of mousai_kit.audio.torchaudio_compat halted; None in sys.modules)",
            "install one that is made for this torch: pip install --force-reinstall torch torchaudio",
        )
    ]


# the machine


def test_a_device_that_cannot_compute(monkeypatch):
    monkeypatch.setattr(device, "resolve_device", lambda name: torch.device("meta"))
    ((state, told, mend),) = lines(machine.device())
    assert (state, mend) == (
        "wrong",
        "a torch for this GPU: https://pytorch.org/get-started/locally; or `device: cpu`",
    )
    assert told.startswith("meta can't compute (")


def test_a_gpu_that_torch_cannot_use(monkeypatch, here):
    if torch.cuda.is_available():
        pytest.skip("torch can use it")
    tool = here / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(here))
    monkeypatch.setattr(device, "resolve_device", lambda name: torch.device("cpu"))
    assert lines(machine.device()) == [
        (
            "note",
            "cpu, although there is an NVIDIA GPU: torch can't use it",
            "a torch with CUDA, and a driver for it: https://pytorch.org/get-started/locally",
        )
    ]


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (
            2**30,
            (
                "note",
                "1.0 GiB free, which is little to train with",
                "end other programs, or lower `batch` and `length`",
            ),
        ),
        (2**33, ("ok", "8.0 GiB free", "")),
    ],
)
def test_memory(monkeypatch, free, expected):
    monkeypatch.setattr(memory, "available_bytes", lambda: free)
    assert lines(machine.memory()) == [expected]


ELSEWHERE = "work in another folder, or write to one with --out"


@pytest.mark.parametrize(
    ("free", "writable", "expected"),
    [
        (2**40, True, ("ok", "1024.0 GiB free in {here}", "")),
        (
            2**30,
            True,
            ("note", "1.0 GiB free in {here}, which a few runs fill", f"make room; or {ELSEWHERE}"),
        ),
        (2**20, True, ("wrong", "0.0 GiB free in {here}", f"make room; or {ELSEWHERE}")),
        (2**40, False, ("wrong", "{here} can't be written to", ELSEWHERE)),
    ],
)
def test_the_disk(here, monkeypatch, free, writable, expected):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    monkeypatch.setattr(machine.os, "access", lambda path, mode: writable)
    state, told, mend = expected
    assert lines(machine.disk()) == [(state, told.format(here=Path.cwd()), mend)]


def test_formats_that_cannot_be_written_or_read_back(monkeypatch):
    import soundfile

    def forgetful(file, read=soundfile.read):
        wave, rate = read(file)
        return (0 * wave if file.getvalue()[:4] == b"RIFF" else wave), rate

    monkeypatch.setattr(soundfile, "read", forgetful)
    monkeypatch.setitem(sound.FORMATS, "FLAC", ("FLAC", "MPEG_LAYER_III", True))
    monkeypatch.setitem(sound.FORMATS, "MP3", ("MP3", "VORBIS", False))
    mend = "pip install --force-reinstall soundfile (its wheel has a libsndfile with all formats)"
    assert lines(sound.formats()) == [
        ("ok", f"Ogg Vorbis, Ogg Opus (libsndfile {soundfile.__libsndfile_version__})", ""),
        ("wrong", "WAV can't be read back as it was written", mend),
        (
            "wrong",
            "FLAC can't be written (Invalid combination of format, subtype and endian)",
            mend,
        ),
        ("note", "MP3 can't be written (Invalid combination of format, subtype and endian)", mend),
    ]


def test_a_soundfile_that_does_not_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    ((state, told, _),) = lines(sound.formats())
    assert (state, told) == (
        "wrong",
        "soundfile can't be imported (import of soundfile halted; None in sys.modules)",
    )


# the network


def test_a_hub_that_answers(tmp_path, endpoint):
    (tmp_path / "config.json").write_text("{}")
    handler = fake_hub.of(network.ASKED[0], tmp_path)
    handler.do_HEAD = lambda self: self.send(b"{}", body=False)
    with fake_hub.served(handler) as url:
        endpoint(url)
        assert lines(network.hub_itself()) == [("ok", f"{url} answers", "")]


def test_a_hub_that_cannot_be_reached(endpoint):
    endpoint("http://127.0.0.1:9")
    ((state, told, _),) = lines(network.hub_itself())
    assert (state, told) == ("note", "no model can be fetched: http://127.0.0.1:9 can't be reached")


def test_models_that_are_here_and_not(tmp_path, endpoint):
    told = "google-t5/t5-base, for mousai-64x and mousai-paper and stable-audio"
    assert lines(network.models()) == [
        ("note", f"{told}: not here yet", "their first run fetches it")
    ]
    ((_, revision),) = network._wanted_models()
    folder = tmp_path / "cache" / "models--google-t5--t5-base" / "snapshots" / revision
    folder.mkdir(parents=True)
    assert lines(network.models())[0][0] == "note"
    (folder / "model.safetensors").write_bytes(b"")
    assert lines(network.models()) == [("ok", f"{told}: in {folder}", "")]


# parts


def test_plug_ins_that_are_left_out_switched_off_or_to_be_noted(shelf, monkeypatch):
    shelf.put("1 / 0", package="broken", name="b")
    shelf.put(GOOD.format(name="mine").replace('"""A schedule."""', ""), package="noted", name="n")
    shelf.put("", package="off", name="o")
    monkeypatch.setenv("MOUSAI_KIT_WITHOUT", "off,nobody")
    first, *others = lines(components.plug_ins())
    assert first[0] == "ok"
    assert re.fullmatch(r"clips, .*mousai, .*n: \d+ components for mousai_kit.v1", first[1])
    files = [shelf.folder / f"{module}.py" for module in shelf.modules]
    assert others == [
        (
            "wrong",
            f'broken 1.2 (b): {files[0]}:1: ZeroDivisionError: division by zero; see all of it with `python -c "import {shelf.modules[0]}"`',
            "the author mends it; without it: pip uninstall broken, or MOUSAI_KIT_WITHOUT=b",
        ),
        (
            "note",
            f"noted 1.2 (n): {files[1]}:3: Made: has no docstring; its first line is what `mousai-kit ls` prints",
            "tell its author",
        ),
        ("note", "off 1.2 (o) is switched off", "unset MOUSAI_KIT_WITHOUT"),
        (
            "note",
            "MOUSAI_KIT_WITHOUT names 'nobody', which is no plug-in here",
            "`mousai-kit plugins` lists the names",
        ),
    ]


def test_what_to_do_about_a_plug_in_is_told_once(shelf):
    code = GOOD.format(name="Mine").replace("def weights(self, sigma)", "def weights(self)")
    shelf.put(code, package="broken", name="b")
    assert [
        mend for _, told, mend in lines(components.plug_ins()) if told.startswith("broken")
    ] == [
        "",
        "the author mends it; without it: pip uninstall broken, or MOUSAI_KIT_WITHOUT=b",
    ]


def test_recipes_whose_parts_are_missing(monkeypatch):
    monkeypatch.setenv("MOUSAI_KIT_WITHOUT", "solvers")
    found = lines(components.recipes())
    wrong = ["mousai", "mousai", "mousai-small", "mousai-tiny", "mousai"]  # by -melody and -tune
    wrong += ["riffusion-small", "stable-audio", "stable-audio-small"]
    assert [state for state, *_ in found] == ["wrong"] * len(wrong) + ["ok"]
    assert [Path(told.partition(":")[0]).stem for _, told, _ in found[:-1]] == wrong
    assert re.fullmatch(
        r".*mousai.yaml:\d+: stages.*: no sampler is called 'dpmpp-2m'.*; 1 plug-in was left out: see `mousai-kit plugins`",
        found[0][1],
    )
    assert found[0][2] == (
        "its parts come with mousai-kit's own plug-ins: see above whether one was left out; "
        "else pip install --force-reinstall mousai-kit"
    )


def test_no_recipes(monkeypatch):
    from mousai_kit.recipe import shipped

    monkeypatch.setattr(shipped, "FOLDERS", ())
    assert lines(components.recipes()) == [
        (
            "wrong",
            "none is found, though some come with mousai-kit",
            "pip install --force-reinstall mousai-kit",
        )
    ]
