"""Making: whatever audio file goes through the latents and comes back at its length."""

import math
from pathlib import Path

import nano
import pytest
import soundfile
import torch

from mousai_kit import audio
from mousai_kit.core.errors import MousaiError, RequestError
from mousai_kit.generation import generate
from mousai_kit.models.cascade import Cascade


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture
def system(trained):
    return nano.system().load()


def through(system, source, *, out="out.flac", seconds=None, start=0.0, seed=0):
    return generate.reconstruct(
        system, Path(source), out=Path(out), seconds=seconds, start=start, seed=seed
    )


def refusal(system, source, **values):
    with pytest.raises(MousaiError) as refused:
        through(system, source, **values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("rate", "channels", "seconds", "samples"),
    [
        (8000, 1, 1.0, 8000),
        (8000, 6, 0.5, 4000),
        (96_000, 2, 0.5, 4000),
        (44_100, 2, 0.5, 4000),
        (8000, 1, 0.01, 80),
        (8000, 1, 1 / 8000, 1),
        (96_000, 1, 1 / 96_000, 1),
    ],
)
def test_any_rate_channels_and_length_come_back_as_long(
    system, rate, channels, seconds, samples, monkeypatch
):
    monkeypatch.setattr(audio.writer, "SILENCE", 0.0)  # a single sample is soft by chance
    nano.tone("a.wav", rate=rate, channels=channels, seconds=seconds)
    through(system, "a.wav")
    info = audio.audio_info(Path("out.flac"))
    assert (info.frames, info.sample_rate, info.channels) == (samples, 8000, 1)
    assert Path("out.png").is_file()


@pytest.mark.parametrize("suffix", ["flac", "wav", "ogg", "FLAC"])
def test_every_format_is_written_with_tags_into_folders_that_are_made(system, suffix):
    nano.tone("a.wav", seconds=0.2)
    path = through(system, "a.wav", out=f"new/folder/out.{suffix}", seed=5)
    assert path == Path(f"new/folder/out.{suffix}")
    tags = audio.read_tags(path)
    assert (tags["title"], tags["seed"]) == ("a through nano", "5")
    assert tags["recipe_hash"] == system.recipe.hash


def test_only_what_is_asked_for_is_read(system):
    nano.tone("a.wav", seconds=1.0)
    through(system, "a.wav", start=0.5, seconds=0.25)
    assert audio.audio_info(Path("out.flac")).frames == 2000
    through(system, "a.wav", start=0.75, seconds=1e9)
    assert audio.audio_info(Path("out.flac")).frames == 2000


def test_the_same_seed_gives_the_same_audio(system):
    nano.tone("a.wav", seconds=0.3)
    made = [
        audio.read(through(system, "a.wav", seed=seed), sample_rate=8000, channels=1)
        for seed in (1, 1, 2)
    ]
    assert made[0].equal(made[1])
    assert not made[0].equal(made[2])


def test_the_latents_decide_what_comes_back(system):
    made = []
    for hertz in (200, 1500):
        nano.tone("a.wav", seconds=0.3, hertz=hertz)
        made.append(audio.read(through(system, "a.wav"), sample_rate=8000, channels=1))
    assert not made[0].equal(made[1])


def test_each_file_that_can_not_be_used_is_told_in_a_line(system):
    Path("empty.wav").write_text("")
    Path("text.wav").write_text("no audio " * 99)
    Path("folder").mkdir()
    soundfile.write("nan.wav", torch.full((800,), math.nan).numpy(), 8000, subtype="FLOAT")
    soundfile.write("silent.wav", torch.zeros(800).numpy(), 8000)
    nano.cut(nano.tone("cut.flac", seconds=3))
    assert refusal(system, "missing.wav") == "missing.wav: does not exist"
    assert refusal(system, "folder") == "folder: is a folder; name an audio file"
    assert refusal(system, "empty.wav") == "empty.wav: is empty (0 bytes); leave it out"
    assert refusal(system, "text.wav") == (
        "text.wav: is no audio file that can be read (Format not recognised)"
    )
    assert refusal(system, "nan.wav") == (
        "nan.wav: holds samples that are not finite (NaN or infinity); leave it out"
    )
    assert refusal(system, "silent.wav") == "silent.wav: is silent; there is nothing to reconstruct"
    assert refusal(system, "cut.flac") == (
        "cut.flac: can't be decoded from 0.00 s on (flac decoder lost sync)"
    )
    assert not Path("out.flac").exists()


def test_numbers_out_of_range_are_refused(system):
    nano.tone("a.wav")
    assert refusal(system, "a.wav", start=9.0) == "a.wav: has nothing at 9.00 s; it is 1.00 s long"
    for number, said in [(-1.0, "-1"), (math.nan, "nan"), (math.inf, "inf")]:
        assert refusal(system, "a.wav", start=number) == (
            f"start: must be a number of 0 or more (got {said})"
        )
    for number, said in [(0.0, "0"), (-1.0, "-1"), (math.nan, "nan"), (math.inf, "inf")]:
        assert refusal(system, "a.wav", seconds=number) == (
            f"seconds: must be a number above 0 (got {said})"
        )


def test_a_place_that_can_not_be_written_is_told_before_the_work(trained, command, monkeypatch):
    nano.tone("a.wav")
    Path("folder.wav").mkdir()
    monkeypatch.setattr(Cascade, "encode_to", lambda *_, **__: pytest.fail("worked"))

    def refusal(out):
        return command("reconstruct", trained, "a.wav", "--out", out).err.splitlines()[-1]

    for out in ("x.mp3", "x", "x.png"):
        assert refusal(out) == f"{out}: --out must end in one of .flac, .wav, .ogg"
    for out in (".", "folder.wav"):
        assert refusal(out) == f"{out}: is a folder; --out names a file"
    assert refusal("./a.wav") == "a.wav: is the file to be read; --out is another"


def test_a_folder_that_would_be_a_file_is_refused(system, monkeypatch):
    nano.tone("a.wav")
    monkeypatch.setattr(system.cascade, "encode_to", lambda *_, **__: pytest.fail("worked"))
    with pytest.raises(FileExistsError):
        through(system, "a.wav", out="a.wav/x.wav")


def test_more_than_memory_holds_is_refused(system, monkeypatch):
    nano.tone("a.wav")
    monkeypatch.setattr("mousai_kit.models.memory.available_bytes", lambda: 100_000)
    assert refusal(system, "a.wav").startswith("seconds: 1 s would take about ")


def test_the_progress_bar_counts_every_evaluation(system, monkeypatch):
    nano.tone("a.wav", seconds=0.1)
    counted = []
    monkeypatch.setattr(
        "mousai_kit.core.console.ProgressBar.advance",
        lambda bar, units=1.0, note="": counted.append(bar.total),
    )
    through(system, "a.wav")
    assert counted == [2, 2]


def test_a_system_without_text_says_so(here):
    system = nano.system(text=nano.AUTOENCODER_ONLY)
    with pytest.raises(RequestError) as refused:
        generate.require_text_conditioning(system)
    assert str(refused.value) == (
        "the top stage, diffusion-autoencoder, makes no music from text, so that there is nothing "
        "to do with prompts; leave them out (`generate.prompts`), or add a stage above it"
    )
    generate.require_text_conditioning(nano.system())
