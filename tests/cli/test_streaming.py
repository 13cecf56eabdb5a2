"""`generate --stream`: sound on standard output, in a pipe or a file, while it is made."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import soundfile

from mousai_kit import audio

HEADER = 44
SECOND = 3 * 8000
"""Bytes of a second of `nano`'s sound."""


@pytest.fixture
def listen(trained):
    """Return a function that starts a command whose sound comes through a pipe."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "mousai_kit", "generate", trained, "low saw"]
        started.append(
            subprocess.Popen(
                [*map(str, command), *arguments, "--stream=-"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def samples(path):
    return soundfile.read(path, dtype="int32")[0]


def test_a_listener_hears_the_beginning_and_leaves_in_peace(listen):
    process = listen("--seconds=3600")
    heard = process.stdout.read(HEADER + SECOND)
    assert heard[:4] == b"RIFF"
    assert heard[40:44] == b"\xff" * 4
    assert any(heard[HEADER:])
    assert process.poll() is None
    process.stdout.close()
    assert process.wait(60) == 128 + signal.SIGPIPE
    said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert "roken pipe" not in said


def test_ctrl_c_ends_it_as_any_command(listen):
    process = listen("--seconds=3600")
    process.stdout.read(HEADER + SECOND)
    process.send_signal(signal.SIGINT)
    while process.stdout.read(SECOND):
        pass
    said = process.stderr.read().decode()
    assert (process.wait(60), said.splitlines()[-1:]) == (130, ["interrupted"]), said


def test_the_sound_is_the_files_sample_by_sample(trained, command):
    command("generate", trained, "low saw", "--seconds=2", "--set=generate.format=wav", "--out=out")
    (written,) = Path("out").glob("*.wav")
    said = command("generate", trained, "low saw", "--seconds=2", "--stream=a.wav")
    assert (said.code, said.out) == (0, "")
    streamed, wave = samples("a.wav"), samples(written)
    assert audio.read(written, sample_rate=8000, channels=1).abs().max() < 0.99  # not scaled
    assert (streamed == wave).all()


def test_a_pipe_in_the_file_system_is_written_to_once_somebody_listens(trained, command):
    os.mkfifo("pipe")
    heard = []
    listener = threading.Thread(target=lambda: heard.append(Path("pipe").read_bytes()))
    listener.start()
    said = command("generate", trained, "low saw", "--seconds=1", "--stream=pipe")
    listener.join()
    assert said.code == 0
    assert len(heard[0]) == HEADER + SECOND


def test_what_is_beyond_1_is_cut_off_and_told(trained, command, monkeypatch):
    from mousai_kit.generation import generate as making

    whole = making.stream
    monkeypatch.setattr(
        making, "stream", lambda *given, **more: (1e4 * piece for piece in whole(*given, **more))
    )
    said = command("generate", trained, "low saw", "--seconds=0.5", "--stream=a.wav")
    peak = said.err.split("peaks reach ")[1].split(";")[0]
    line = f"a.wav: peaks reach {peak}; what is beyond 1 was cut off (a file would be scaled down)"
    assert said.err.splitlines()[-1] == line
    assert said.code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--count=2"], "--count: means nothing beside --stream, which plays one clip"),
        (["--variations=2"], "--variations: means nothing beside --stream, which plays one clip"),
        (["--json"], "--json: means nothing beside --stream, which plays one clip"),
        (["--out=out"], "--out: means nothing beside --stream, which plays one clip"),
        (["--interactive"], "--interactive: means nothing beside --stream, which plays one clip"),
        (["high pulses"], "--stream: plays one clip; give one prompt (got 2)"),
    ],
)
def test_more_than_one_clip_is_refused(trained, command, options, told):
    said = command("generate", trained, "low saw", *options, "--stream=a.wav")
    assert (said.code, said.err.strip(), said.out) == (2, told, "")
    assert not Path("a.wav").exists()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (".", "--stream .: is a folder; name a file or a pipe"),
        ("no/a.wav", "--stream no/a.wav: is in a folder that does not exist"),
        ("a.flac", "--stream a.flac: must end in .wav: what is streamed is WAV"),
    ],
)
def test_a_place_that_cant_be_streamed_to_is_told(trained, command, target, told):
    said = command("generate", trained, "low saw", f"--stream={target}")
    assert (said.code, said.err.strip()) == (2, told)


def test_a_terminal_is_no_place_for_sound(trained, command, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    said = command("generate", trained, "low saw", "--stream=-")
    told = "--stream: would write sound to the terminal; pipe it to a player, or name a file"
    assert (said.code, said.err.strip()) == (2, told)


def test_a_full_disk_is_one_line(trained, command):
    said = command("generate", trained, "low saw", "--seconds=1", "--stream=/dev/full")
    assert said.code == 2
    told = "/dev/full: can't be written (No space left on device)"
    assert said.err.strip().splitlines()[-1] == told
