"""A stage that encodes and hears text is a whole system: it plays prompts, brings music back."""

import nano
import pytest
import torch
from torch import nn
from torch.nn import functional

import mousai_kit.api as mk
from mousai_kit.audio.tags import read_tags
from mousai_kit.core import plugins
from mousai_kit.core.errors import argument_error
from mousai_kit.generation import generate as making
from mousai_kit.testing import StageContract

RECIPE = """\
version: 1
name: song
device: cpu
audio: {sample_rate: 8000, channels: 1}
data: {use: tones, tracks: 4, held_out: 2}
stages:
  song:
    model: {use: one-stage}
    train: {steps: 4, batch: 2, length: 2048, workers: 0, validate_every: 2, checkpoint_every: 2}
generate: {prompts: [low saw chord], seconds: 0.25, guidance: 2.0}
evaluate: {metrics: [log-mel-distance], clips: 2, seconds: 0.25}
"""
STRIDE = 64


class OneStage(mk.Stage):
    """Text and audio to audio in one stage: a code of each is played by one decoder."""

    name = "one-stage"
    hears_text = True

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.input_space = input_space
        rate = input_space.sample_rate
        self.latent_space = mk.SignalSpace(4, STRIDE * input_space.stride, rate)
        self.letters = nn.EmbeddingBag(256, 4)
        self.enter = nn.Conv1d(input_space.channels, 4, STRIDE, stride=STRIDE)
        self.leave = nn.ConvTranspose1d(4, input_space.channels, STRIDE, stride=STRIDE)
        self.colour = nn.Conv1d(8, 4, 1)

    def text(self, prompts):
        ids = [torch.tensor(list(prompt.encode()) or [0]) for prompt in prompts]
        starts = torch.tensor([0, *(len(each) for each in ids[:-1])]).cumsum(0)
        device = self.letters.weight.device
        return self.letters(torch.cat(ids).to(device), starts.to(device))

    def play(self, latents, text):
        told = text[:, :, None].expand(-1, -1, latents.shape[-1])
        return self.leave(torch.tanh(self.colour(torch.cat([latents, told], 1))))

    def loss(self, signal, prompts, *, noise, condition="training"):
        text = self.text([*prompts[1:], prompts[0]] if condition == "other" else prompts)
        latents = self.encode(signal) * (0 if condition == "none" else 1)
        white = noise.like(latents)
        made = self.play(latents + 0.01 * white, text)[..., : signal.shape[-1]]
        alone = (self.play(white, text)[..., : signal.shape[-1]] - signal).square().mean((1, 2))
        return (made - signal).square().mean((1, 2)) + 0.02 * alone

    def encode(self, signal):
        return self.enter(functional.pad(signal, (0, -signal.shape[-1] % STRIDE)))

    def decode(self, latents, request):
        frames = self.input_space.frames(request.samples)
        if latents is None:
            noise = request.noise().normal(4, -(-frames // STRIDE))
            latents = noise.to(self.letters.weight)
        text = self.text(request.prompts) * request.guidance
        return self.play(latents, text)[..., :frames]


class TestOneStage(StageContract):
    component = OneStage
    learning_rate = 0.03


@pytest.fixture
def run(here, monkeypatch):
    """Stand in a folder with a recipe of the one-stage system, as if it were installed."""
    known, reports = plugins.discover()
    known = known.replacing(OneStage, owner="test")
    monkeypatch.setattr(plugins, "_load_all", lambda *_, **__: (known, reports))
    plugins.installed_registry.cache_clear()
    (here / "song.yaml").write_text(RECIPE)
    yield here
    plugins.installed_registry.cache_clear()


def said(capfd, *arguments):
    answer = nano.call(capfd, *arguments)
    assert answer.code == 0, answer.err
    return answer


def test_it_goes_through_every_command(run, capfd):
    said(capfd, "validate", "song.yaml")
    said(capfd, "show", "song.yaml")
    closing = said(capfd, "run", "song.yaml", "--out", "r").out
    assert 'generate r "your own words"' in closing
    assert "reconstruct r some-music.flac" in closing
    assert [path.name for path in (run / "r/audio").glob("*.flac")] == ["low-saw-chord-0.flac"]
    said(capfd, "generate", "r", "high bells", "--seconds", "0.25", "--out", "made")
    assert read_tags(run / "made/high-bells-0.flac")["prompt"] == "high bells"
    report = said(capfd, "evaluate", "r").out
    assert "## song: log-mel-distance" in report
    assert "| song | validation |" in report
    nano.tone(run / "a.wav", seconds=0.3)
    told = ("--prompt", "low saw", "--guidance", "3")
    for name, more in (("plain", ()), ("low", told), ("again", told)):
        said(capfd, "reconstruct", "r", "a.wav", "--out", f"{name}.flac", *more)
    plain, low, again = (
        mk.read(run / f"{name}.flac", sample_rate=8000, channels=1)
        for name in ("plain", "low", "again")
    )
    assert torch.equal(low, again)
    assert not torch.allclose(plain, low)
    tags = read_tags(run / "low.flac")
    assert (tags["prompt"], tags["guidance"]) == ("low saw", "3")
    assert "prompt" not in read_tags(run / "plain.flac")
    pipeline = mk.load("r", quiet=True)
    for source in ("a.wav", mk.read(run / "a.wav", sample_rate=8000, channels=1)):
        music = pipeline.reconstruct(source, prompt="low saw", guidance=3)
        assert (music.prompt, music.tags["guidance"], music.audio.shape) == (
            "low saw",
            "3",
            (1, 2400),
        )
        torch.testing.assert_close(music.audio, low, atol=1e-3, rtol=0)
    half = pipeline.reconstruct("a.wav", start=0.1, seconds=0.1)
    assert half.audio.shape == (1, 800)
    for wrong in (torch.zeros(2, 100), torch.zeros(100), torch.zeros(1, 0)):
        with pytest.raises(mk.RequestError, match=r"^audio must be a tensor \[1, t\] at 8000 Hz"):
            pipeline.reconstruct(wrong)
    with pytest.raises(mk.RequestError, match=r"^the audio is silent there; "):
        pipeline.reconstruct(torch.zeros(1, 100))


@pytest.mark.parametrize(("name", "value"), [("prompt", "low saw"), ("guidance", 2.0)])
def test_a_stage_that_reads_no_text_says_so(here, name, value):
    system = nano.system(text=nano.AUTOENCODER_ONLY)
    with pytest.raises(mk.RequestError) as refused:
        making.reconstruct(
            system,
            here / "a.wav",
            out=here / "b.flac",
            seconds=None,
            start=0,
            seed=0,
            **{name: value},
        )
    told = "is heard by no stage that brings audio back (autoencoder); leave it out"
    assert str(refused.value) == str(argument_error(name, told))
