"""A package by somebody else, from its wheel to its removal, beside mousai-kit from a wheel."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(__file__).parent / "mousai-kit-etude"
SWAPS = {
    "stages.autoencoder.model.sampler": "kutta-3",
    "stages.generator.model.use": "rectified-flow",
    "stages.generator.model.text.use": "ngrams",
    "stages.generator.model.sampler.use": "kutta-3",
}
SMALL = {
    "stages.autoencoder.model.sampler.steps": "3",
    "stages.autoencoder.model.unet.channels": "[32, 32]",
    "stages.autoencoder.model.unet.modulation_features": "32",
    "stages.autoencoder.train.steps": "2",
    "stages.autoencoder.train.length": "8192",
    "stages.autoencoder.train.workers": "0",
    "stages.generator.model.text.features": "32",
    "stages.generator.model.sampler.steps": "4",
    "stages.generator.model.unet": "{use: unet1d, transform: null, channels: [16, 16], factors: [1, 2], "
    "blocks: [1, 1], cross_attentions: [1, 1], attention_heads: 2, attention_features: 8, "
    "modulation_features: 16, context_injections: []}",
    "stages.generator.train.steps": "2",
    "stages.generator.train.length": "32768",
    "stages.generator.train.passes": "1",
    "generate.prompts": "[Rock]",
    "generate.seconds": "0.5",
    "evaluate.metrics": "[]",
    "evaluate.clips": "1",
    "evaluate.seconds": "0.5",
}
RUN = [
    "run",
    "mousai-tiny",
    *(it for path, value in (SWAPS | SMALL).items() for it in ("--set", f"{path}={value}")),
]
SEVERAL = """\
import contextlib, io, json, sys
from mousai_kit import cli
from mousai_kit.core import console

console.WORD_AFTER = 1e9  # a slow machine says no more than a quick one
said = []
for sys.argv in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            cli.main()
        except SystemExit as ended:
            said.append([ended.code or 0, out.getvalue(), err.getvalue()])
print(json.dumps(said))
"""
"""Several commands in one process: each of its own would import torch again."""

pytestmark = pytest.mark.xdist_group("third-party")


@dataclass(frozen=True)
class Bench:
    """A folder with a fresh virtual environment in it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def call(self, *command: object, at: str = ".") -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, which knows nothing of this tree."""
        environment = {key: it for key, it in os.environ.items() if not key.startswith("PYTHON")}
        return subprocess.run(
            [str(self.python.with_name(str(command[0]))), *map(str, command[1:])],
            cwd=self.folder / at,
            env=environment | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def kit(self, *commands: list[str]) -> list[list]:
        """Return exit code, output and errors of some commands of mousai-kit."""
        argv = json.dumps([["mousai-kit", *command] for command in commands])
        answer = self.call("python", "-c", SEVERAL, argv)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def pip(self, *arguments: object) -> None:
        """Run pip, of the tests' own environment, on this one."""
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        told = [*pip, "--python", str(self.python), *map(str, arguments)]
        subprocess.run(told, check=True, timeout=200)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Both packages, built as wheels and installed; all else is where it was."""
    bench = Bench(tmp_path_factory.mktemp("third-party"))
    shutil.copytree(
        PACKAGE, bench.folder / "etude", ignore=shutil.ignore_patterns(".*", "__pycache__")
    )
    wheels = bench.folder / "wheels"
    building = [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--no-build-isolation"]
    told = [*building, "-w", str(wheels), str(ROOT), str(bench.folder / "etude")]
    subprocess.run(told, check=True, timeout=200)
    venv.create(bench.folder / "venv", with_pip=False)
    bench.pip("install", "--no-deps", "--no-index", *wheels.glob("*.whl"))
    (site,) = (bench.folder / "venv" / "lib").glob("python*/site-packages")
    others = [it for it in sys.path if Path(it).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("\n".join(others) + "\n")
    return bench


@pytest.fixture(scope="module")
def listed(bench):
    return [json.loads(out) for _, out, _ in bench.kit(["ls", "--json"], ["plugins", "--json"])]


@pytest.fixture(scope="module")
def ran(bench):
    return bench.call("mousai-kit", *RUN)


@pytest.fixture(scope="module")
def own_tests(bench):
    return bench.call("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", at="etude")


@pytest.fixture(scope="module")
def removed(bench, listed, ran, own_tests):
    """What commands say after the package was removed."""
    kept = files(bench)
    bench.pip("uninstall", "-y", "mousai-kit-etude")
    said = bench.kit(RUN, ["generate", "runs/mousai-tiny", "Rock"], ["validate", "mousai-tiny"])
    assert files(bench) == kept
    return said


def files(bench):
    """Return every file of the run, with its time."""
    found = (bench.folder / "runs").rglob("*")
    return {str(it): it.stat().st_mtime_ns for it in found if it.is_file() and it.name != ".lock"}


def test_its_components_are_listed_with_their_package(listed):
    rows, _ = listed
    theirs = [(it["kind"], it["name"], it["plugin"]) for it in rows if "etude" in it["plugin"]]
    assert theirs == [
        ("text_encoder", "ngrams", "mousai-kit-etude 0.3.1 (etude)"),
        ("sampler", "kutta-3", "mousai-kit-etude 0.3.1 (etude)"),
        ("stage", "rectified-flow", "mousai-kit-etude 0.3.1 (etude)"),
    ]


def test_no_plug_in_has_a_fault(listed):
    _, reports = listed
    assert {it["package"] for it in reports} == {"mousai-kit", "mousai-kit-etude"}
    assert [it for it in reports if it["fault"]] == []


def test_nothing_rests_on_this_tree(bench):
    code = "import mousai_kit.recipe.shipped as it; print(it.__file__, *it.shipped_recipes().values(), sep='\\n')"
    answer = bench.call("python", "-c", code)
    assert answer.returncode == 0
    assert all(line.startswith(f"{bench.folder}/venv/lib/") for line in answer.stdout.split())


def test_its_own_tests_pass_there(own_tests):
    assert own_tests.returncode == 0, own_tests.stdout
    assert " passed" in own_tests.stdout


def test_swapped_into_a_shipped_recipe_it_trains_and_makes_music(bench, ran):
    assert ran.returncode == 0, ran.stderr
    wave, rate = soundfile.read(bench.folder / "runs/mousai-tiny/audio/rock-0.flac")
    assert (wave.shape, rate) == ((8000, 2), 16000)
    assert 0.01 < np.abs(wave).max() <= 1
    assert (bench.folder / "runs/mousai-tiny/audio/rock-0.png").is_file()
    assert (bench.folder / "runs/mousai-tiny/report.md").is_file()


def test_the_runs_recipe_requires_it(bench, ran):
    recipe = (bench.folder / "runs/mousai-tiny/recipe.yaml").read_text()
    assert "\nrequires:\n- mousai-kit-etude>=0.3.1\nseed: 0\n" in recipe


def test_after_its_removal_the_same_command_names_it(removed):
    bring = "mousai-kit-etude brought it when runs/mousai-tiny was made: pip install 'mousai-kit-etude>=0.3.1'"
    assert removed[0][:2] == [2, ""]
    assert removed[0][2] == (
        f"--set stages.autoencoder.model.sampler=kutta-3: stages.autoencoder.model.sampler.use: no sampler is called 'kutta-3'; {bring}\n"
        f"--set stages.generator.model.use=rectified-flow: stages.generator.model.use: no stage is called 'rectified-flow'; {bring}\n"
    )


def test_after_its_removal_the_run_names_it(removed, bench):
    lines = (bench.folder / "runs/mousai-tiny/recipe.yaml").read_text().splitlines()
    sampler, stage = (
        lines.index(f"{it}") + 1 for it in ("        use: kutta-3", "      use: rectified-flow")
    )
    bring = "this recipe requires mousai-kit-etude>=0.3.1, which is not installed: pip install 'mousai-kit-etude>=0.3.1'"
    assert removed[1][:2] == [2, ""]
    assert removed[1][2] == (
        "runs/mousai-tiny/recipe.yaml:4: requires.0: mousai-kit-etude>=0.3.1 is not installed: pip install 'mousai-kit-etude>=0.3.1'\n"
        f"runs/mousai-tiny/recipe.yaml:{sampler}: stages.autoencoder.model.sampler.use: no sampler is called 'kutta-3'; {bring}\n"
        f"runs/mousai-tiny/recipe.yaml:{stage}: stages.generator.model.use: no stage is called 'rectified-flow'; {bring}\n"
    )


def test_after_its_removal_other_recipes_are_as_before(removed):
    code, out, err = removed[2]
    assert (code, err) == (0, "")
    assert out.startswith("mousai-tiny: valid (mousai-tiny, ")
