"""A fresh virtual environment beside mousai-kit, with a package of every kind installed in it."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import nano
import packages
from hatchling.builders.wheel import WheelBuilder

BUILT_BY_PIP = "sampler"
"""One package is built by pip from its folder, as its README says; the others by hatchling alone,
which pip would ask too, a process each.
"""
CONVERSATION = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from mousai_kit import audio, cli

audio.picture = lambda path, *_, **__: path.touch()
answers = []
for words in json.load(sys.stdin):
    sys.argv, out, err = ["mousai-kit", *words], StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as ended:
            answers.append([ended.code or 0, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""
"""Commands in one process, for torch takes seconds to import; no pictures."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and the folders of the packages that are installed in it by kind."""

    folder: Path
    packages: dict[str, Path]

    @classmethod
    def made(cls, folder):
        """Make one, and build and install what `new plugin` writes."""
        here = cls(folder, packages.write_all(folder))
        venv.create(folder / "venv", symlinks=True)
        (site,) = (folder / "venv").glob("lib/python*/site-packages")
        (site / "beside.pth").write_text("\n".join(filter(None, sys.path)))
        sources = [here.built(kind) for kind in here.packages]
        alone = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
        done = here.run("-m", "pip", "install", "-q", *alone, *map(str, sources))
        assert done.returncode == 0, done.stderr
        return here

    def built(self, kind):
        """Return what pip is to install: a wheel, or the folder."""
        package = self.packages[kind]
        if kind == BUILT_BY_PIP:
            return package
        builder = WheelBuilder(str(package))
        return next(iter(builder.build(directory=str(self.folder), versions=["standard"])))

    def run(self, *arguments, given=""):
        """Run the environment's Python in its folder."""
        return subprocess.run(
            [str(self.folder / "venv/bin/python"), *arguments],
            cwd=self.folder,
            env={"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "COLUMNS": "100"},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def converse(self, *commands):
        """Return what mousai-kit answers to commands, one after the other."""
        done = self.run("-c", CONVERSATION, given=json.dumps(commands))
        assert done.returncode == 0, done.stderr
        return [nano.Said(*answer) for answer in json.loads(done.stdout)]
