"""Editing: clips that begin from a file, fill in seconds of it or go on from it; and loops."""

from pathlib import Path

import nano
import numpy as np
import pytest
import soundfile
import torch

import mousai_kit.api as mk
from mousai_kit import audio
from mousai_kit.generation.editing import FADE

RATE = nano.RATE


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture
def cascade(trained):
    return mk.load(trained, quiet=True)


def music(path="a.flac", *, seconds=2.0, channels=1, **options):
    """Write notes whose pitch changes every half a second, with noise; return the file."""
    random = np.random.default_rng(0)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 200 * 2 ** (np.floor(2 * time) % 5 / 3)
    wave = 0.4 * np.sin(2 * np.pi * pitch * time) + 0.02 * random.standard_normal(len(time))
    soundfile.write(path, np.stack([wave] * channels, 1), RATE, **options)
    return Path(path)


def read(path):
    return audio.read(Path(path), sample_rate=RATE, channels=1)


def refusal(call, *arguments, **values):
    with pytest.raises(mk.MousaiError) as refused:
        call(*arguments, **values)
    return str(refused.value)


def distance(one, other):
    return (audio.log_mel(one, RATE) - audio.log_mel(other, RATE)).abs().mean().item()


def test_strength_leads_from_the_file_to_none_of_it(cascade):
    source = music()
    made = [
        cascade.generate("low saw", source=source, strength=strength).audio
        for strength in (0.0, 0.5, 1.0)
    ]
    assert torch.equal(made[2], cascade.generate("low saw", seconds=2.0).audio)
    found = [distance(wave, made[0]) for wave in made]
    assert found[0] < found[1] < found[2]


def test_a_file_that_is_not_left_comes_back_through_the_autoencoder(cascade):
    source = music()
    made = cascade.generate("low saw", source=source, strength=0).audio
    wave = read(source)
    latents = cascade.encode_source(wave[None])
    request = mk.GenerationRequest(["low saw"], [0], wave.shape[-1])
    expected = cascade.decode(latents, request, top="autoencoder")[0]
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_what_is_not_inpainted_comes_back_bit_for_bit(trained, command, subtype):
    source = music(subtype=subtype)
    options = ("--inpaint", source, "--range", "0.5-0.8", "--range", "1.2-1.5")
    made = read(command("generate", trained, "low saw", *options).out.strip())
    wave = read(source)
    assert made.shape == wave.shape
    differs = (made != wave).any(0)
    inside = torch.zeros_like(differs)
    inside[4000:6400] = inside[9600:12000] = True
    assert not differs[~inside].any()
    assert differs[inside].float().mean() > 0.9


def test_a_file_that_goes_on_comes_first_bit_for_bit(trained, command):
    source = music(seconds=1.5)
    options = ("--continue", source, "--seconds=1.3")
    made, wave = read(command("generate", trained, "low saw", *options).out.strip()), read(source)
    assert made.shape[-1] == wave.shape[-1] + round(1.3 * RATE)
    assert torch.equal(made[:, : wave.shape[-1]], wave)
    assert made[:, wave.shape[-1] :].abs().max() > 0.01


def test_what_is_made_begins_and_ends_like_the_file(cascade):
    wave = read(music())
    made = cascade.generate("low saw", inpaint="a.flac", ranges=["0.5-1.5"]).audio
    jumps = (made - wave)[0, [4000, 11999]].abs()
    assert jumps.max() < 2 / (FADE * RATE)


@pytest.mark.parametrize(
    "edit", [{"source": "a.flac"}, {"inpaint": "a.flac"}, {"extend": "a.flac"}]
)
def test_a_clip_is_the_same_alone_and_in_a_batch(cascade, edit):
    music()
    more = {"ranges": ["0.3-0.9"]} if "inpaint" in edit else {}
    texts = ["low saw", "high pulses"]
    together = cascade.generate(texts, batch=2, guidance=2.0, **edit, **more)
    for text, clip in zip(texts, together, strict=True):
        alone = cascade.generate(text, guidance=2.0, **edit, **more).audio
        torch.testing.assert_close(clip.audio, alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "sampler", ["ddim", "dpmpp-2m", "dpmpp-2m-sde", "heun", "angle-2m", "{use: ddim, eta: 1.0}"]
)
def test_every_sampler_begins_from_a_file_and_keeps_what_stays(trained, sampler):
    music()
    options = [f"stages.generator.model.sampler={sampler}"]
    cascade = mk.load(trained, options, quiet=True)
    wave = read("a.flac")
    near, far = (
        cascade.generate("low saw", source="a.flac", strength=strength).audio
        for strength in (0.05, 1.0)
    )
    given = cascade.generate("low saw", source="a.flac", strength=0.0).audio
    assert distance(near, given) < distance(far, given) / 2
    kept = cascade.generate("low saw", inpaint="a.flac", ranges=["0.5-1"]).audio
    assert torch.equal(kept[:, :4000], wave[:, :4000])
    assert not torch.equal(kept[:, 4000:8000], wave[:, 4000:8000])


def test_a_loop_has_the_length_asked_for_and_no_seam(cascade):
    made = cascade.generate("low saw", seconds=1.23, loop=True).audio
    assert made.shape[-1] == round(1.23 * RATE)
    plain = cascade.generate("low saw", seconds=1.23).audio
    assert not torch.equal(made, plain)

    def seam(wave):
        return (wave[0, 0] - wave[0, -1]).abs() / (wave[0, 1:] - wave[0, :-1]).abs().mean()

    assert seam(made) < 4


def test_a_file_of_another_rate_is_resampled_and_the_rest_is_of_that(cascade):
    time = np.arange(88_200) / 44_100
    soundfile.write("a.wav", 0.3 * np.sin(2 * np.pi * 300 * time), 44_100)
    made = cascade.generate("low saw", inpaint="a.wav", ranges=["0.5-1"]).audio
    wave = read("a.wav")
    assert torch.equal(made[:, 8000:], wave[:, 8000:])


def test_a_clip_says_what_it_is_made_of_and_is_made_anew_when_that_changes(trained, command):
    music()
    options = ("generate", trained, "low saw", "--from", "a.flac", "--strength=0.3")
    first = command(*options)
    path = Path(first.out.strip())
    tags = audio.read_tags(path)
    assert (tags["source"], tags["strength"]) == (
        f"a.flac {audio.file_digest(Path('a.flac'))}",
        "0.3",
    )
    assert command(*options).out == first.out
    music(seconds=1.0)
    other = Path(command(*options).out.strip())
    assert other != path
    assert read(other).shape[-1] == RATE


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--from=missing.flac"], "missing.flac: does not exist"),
        (["--from=."], ".: is a folder; name an audio file"),
        (
            ["--from=text.flac"],
            "text.flac: is no audio file that can be read (Format not recognised)",
        ),
        (
            ["--from=short.flac"],
            "short.flac: lasts 0.001 s, less than a latent frame (0.032 s); take a longer one",
        ),
        (["--from=silent.flac"], "silent.flac: is silent; there is nothing to begin from"),
        (
            ["--from=a.flac", "--seconds=3"],
            "--seconds: the file is 2.00 s long; ask for no more of it (got 3)",
        ),
        (["--from=a.flac", "--strength=1.5"], "--strength: must be at most 1 (got 1.5)"),
        (["--from=a.flac", "--strength=-0.1"], "--strength: must be at least 0 (got -0.1)"),
        (
            ["--from=a.flac", "--continue=a.flac"],
            "--continue: a clip can begin from one file, in one way; leave out the others",
        ),
        (
            ["--inpaint=a.flac", "--range=0-1", "--loop"],
            "--loop: a clip that keeps a file's audio is no loop; leave out one of them",
        ),
        (["--inpaint=a.flac"], "--inpaint: needs a range to make anew, such as 3-6 (seconds)"),
        (
            ["--range=0-1"],
            "--range: says which seconds of a file are made anew; name the file to inpaint, too",
        ),
        (
            ["--strength=0.5"],
            "--strength: says how far to leave a file; name one to begin from, or to inpaint",
        ),
        (
            ["--inpaint=a.flac", "--range=1-1.5", "--seconds=2"],
            "--seconds: a clip with ranges made anew is as long as its file; leave this out",
        ),
        (
            ["--inpaint=a.flac", "--range=1.5-2.5"],
            "--range 1.5-2.5: ends beyond the end of the file, which is 2.00 s long",
        ),
        (["--inpaint=a.flac", "--range=1-1"], "--range 1-1: must end after it begins"),
        (["--inpaint=a.flac", "--range=1.5-1"], "--range 1.5-1: must end after it begins"),
        (
            ["--inpaint=a.flac", "--range=x"],
            "--range x: must be seconds from and to, such as 3-6.5",
        ),
        (
            ["--inpaint=a.flac", "--range=1-1.5", "--range=0.5-1.2"],
            "--range 1-1.5: overlaps with 0.5-1.2; make one of them",
        ),
    ],
)
def test_what_can_not_be_done_is_one_line(trained, command, options, told):
    music()
    Path("text.flac").write_text("no audio")
    soundfile.write("short.flac", np.full(10, 0.5), RATE)
    soundfile.write("silent.flac", np.zeros(RATE), RATE)
    said = command("generate", trained, "low saw", *options)
    assert (said.code, said.out, said.err) == (2, "", f"{told}\n")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--blend", "pulses"), "--blend: goes along a whole clip"),
        (("--condition", "melody=hum.wav"), "--condition"),
    ],
)
def test_what_goes_along_a_whole_clip_is_refused_for_a_part_of_one(trained, command, more, told):
    nano.tone("a.wav", rate=nano.RATE, channels=1, seconds=1.0)
    words = ("--continue", "a.wav", "--seconds", 0.3, "--out", "out")
    found = command("generate", trained, "low saw", *words, *more)
    assert found.code == 2
    assert told in found.err
