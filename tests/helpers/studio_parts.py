"""A studio with a system that makes a clip in a fraction of a second, and its server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nano
import soundfile

from mousai_kit.studio.gallery import Gallery
from mousai_kit.studio.settings import clip_settings
from mousai_kit.studio.studio import Studio, StudioLimits
from mousai_kit.studio.systems import Systems
from mousai_kit.studio.uploads import UploadLimits
from mousai_kit.training.run import train_run

LIMITS = StudioLimits(seconds=20.0, uploads=UploadLimits(megabytes=1.0, seconds=10.0))


def studio(targets, folder, *, adapters=()):
    """Return a studio that is not open yet."""
    return Studio(Gallery(Path(folder)), Systems([str(it) for it in targets], adapters), LIMITS)


def settings(**values):
    asked = {"system": "nano", "prompt": "low saw chord", "seconds": 0.5, "seed": 3}
    return clip_settings(**(asked | values))


def train_beside(base):
    """Train, on a run's autoencoder, a system that hears melody, `hummer`, and an adapter, `tuned`.

    Stands in an empty folder; returns the folders of both runs.
    """
    taken = [f"stages.autoencoder.weights={base}", "stages.autoencoder.freeze=['*']"]
    adapted = [
        *(f"stages.generator.weights={base}", "stages.generator.lora={rank: 2, alpha: 8}"),
        "stages.generator.train.learning_rate=1e-1",  # four steps that are heard
    ]
    train_run(nano.system(*taken, text=nano.TOLD, folder="hummer"))
    train_run(nano.system(*taken, *adapted, folder="tuned"))
    return Path("hummer").resolve(), Path("tuned").resolve()


def make(opened, **values):
    """Return the record of one clip."""
    states = list(opened.make([settings(**values)]))
    (record,) = states[-1].clips
    return record


def tune_recipe(path, base):
    """Write a recipe that tunes a run's generator to a folder of music, for three minutes at most.

    A training outlives a test that is killed.
    """
    text = nano.RECIPE.replace(
        "data: {use: tones, tracks: 4, held_out: 2}", "data: {use: folder, path: none}"
    ).replace("steps: 4, ", "steps: 4, minutes: 3, ")
    for stage, freeze in (("autoencoder", "['*']"), ("generator", "[]")):
        begins = f"  {stage}:\n"
        text = text.replace(begins, f"{begins}    weights: {base}\n    freeze: {freeze}\n")
    text = text.replace("validate_every: 2", "validate_every: 500")
    Path(path).write_text(text)
    return Path(path)


def music(folder, *, count=4, seconds=3):
    """Write music, and a text beside each piece; return the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    for number in range(count):
        file = nano.tone(folder / f"{number}.wav", seconds=seconds, hertz=200 + 50 * number)
        file.with_suffix(".txt").write_text("sine")
    return folder


def wait(condition, seconds=90):
    """Wait until a condition is true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


class Server:
    """`mousai-kit studio` as a process of its own."""

    def __init__(
        self,
        targets,
        folder,
        *options,
        password=None,
        host="127.0.0.1",
        port=None,
        program=("-m", "mousai_kit"),
    ):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = port or probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.gallery = Path(folder)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("MOUSAI_KIT_STUDIO_PASSWORD", None)
        if password:
            environment["MOUSAI_KIT_STUDIO_PASSWORD"] = password
        words = ["studio", *map(str, targets), "--headless", "--gallery", str(folder)]
        words += ["--host", host, "--port", str(self.port), *map(str, options)]
        self.output = Path(f"{folder}.txt")
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, *program, *words],
                stdout=output,
                stderr=output,
                env=environment,
            )
        until = time.monotonic() + 120
        while "Clips are kept" not in self.said:
            assert self.process.poll() is None, f"the studio ended: {self.said}"
            assert time.monotonic() < until
            time.sleep(0.05)

    @property
    def said(self):
        return self.output.read_text()

    def clip(self, facts):
        """Return the record and the samples of the clip that the page tells of, [t, c]."""
        (folder,) = (it for it in (self.gallery / "clips").iterdir() if it.name in facts)
        record = json.loads((folder / "clip.json").read_text())
        return record, soundfile.read(folder / record["file"], always_2d=True)[0]

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """End it as Ctrl-C would; return what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.said


def tone(path, **options):
    return nano.tone(path, **options)
