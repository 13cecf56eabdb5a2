"""Text to audio in one stage: a blend of two prompts, a file to begin from, and its commands."""

import nano
import pytest
import torch
from small_stages import AUDIO, PICTURES

import mousai_kit.api as mk
from mousai_kit.audio.tags import read_tags
from mousai_kit.core.interfaces import SignalSpace
from mousai_kit.testing.network import perturb
from mousai_kit.testing.signals import chords, loudness

FRAME = 32
RECIPE = """\
version: 1
name: pictures
device: cpu
audio: {sample_rate: 8000, channels: 1}
data: {use: tones, tracks: 4, held_out: 2}
stages:
  generator:
    model:
      use: text-to-audio
      domain: {use: mel-picture, bands: 16, hop: 4.0, window: 16.0, highest: 4000.0, iterations: 2}
      text: {use: t5-scratch, features: 16, layers: 1, heads: 2, feed_forward: 16, vocabulary: 512,
             tokens: 16}
      unet: {use: unet2d, patch: [2, 2], channels: [8, 16], blocks: [1, 1], attentions: [0, 0],
             cross_attentions: [0, 1], heads: 2, groups: 4, modulation_features: 16}
      sampler: {use: ddim, steps: 3}
    train: {steps: 4, batch: 2, length: 2048, workers: 0, validate_every: 2, checkpoint_every: 2}
generate: {prompts: [low saw chord], seconds: 0.5, guidance: 2.0}
"""


@pytest.fixture
def stage():
    torch.manual_seed(0)
    made = mk.build(mk.Stage, PICTURES, input_space=AUDIO)
    perturb(made.unet)
    made.fit_statistics([chords(3, 2, 8000)], ["low saw", "high bells"])
    return made.eval()


def request(prompt="low saw", *, samples=80 * FRAME, **controls):
    words = mk.Controls.model_validate(controls)
    return mk.GenerationRequest([prompt], [3], samples, guidance=2.0, controls=words)


@torch.no_grad()
def shown(stage, asked):
    """Return the picture of a request, which Griffin-Lim would play."""
    return stage.sample(asked)


def off(found, expected):
    return loudness(found - expected) / loudness(expected)


class TestBlend:
    def test_a_share_of_nothing_is_the_prompt_and_of_all_the_other_text(self, stage):
        first, other = shown(stage, request()), shown(stage, request("high bells"))
        assert off(shown(stage, request(blend="high bells", blend_at=0.0)), first) < 1e-4
        assert off(shown(stage, request(blend="high bells", blend_at=1.0)), other) < 1e-4

    def test_it_goes_from_one_text_to_the_other(self, stage):
        first, other = shown(stage, request()), shown(stage, request("high bells"))
        blended = shown(stage, request(blend="high bells"))
        start, end = slice(0, 8), slice(-8, None)
        for place, near, far in ((start, first, other), (end, other, first)):
            made = blended[..., place]
            assert off(made, near[..., place]) < off(made, far[..., place])


@torch.no_grad()
def test_at_strength_0_a_file_is_shown_as_it_is(stage):
    wave = chords(1, 2, 80 * FRAME)
    asked = mk.GenerationRequest(["low saw"], [3], 80 * FRAME, source=wave, strength=0.0)
    x = stage.domain(wave)
    torch.testing.assert_close(stage.sample(asked, x), x)
    torch.testing.assert_close(
        stage.decode(None, asked), stage.domain.inverse(x, 80 * FRAME), atol=1e-4, rtol=1e-3
    )


def test_it_encodes_nothing(stage):
    with pytest.raises(mk.RequestError) as refused:
        stage.encode(torch.zeros(1, 2, FRAME))
    assert str(refused.value) == "text-to-audio makes audio from text and encodes nothing"


def test_above_another_stage_it_is_refused():
    with pytest.raises(mk.PluginError) as refused:
        mk.build(mk.Stage, PICTURES, input_space=SignalSpace(4, 32, 8000))
    told = "text-to-audio makes audio: it must be the only stage"
    assert str(refused.value) == told


def test_it_goes_through_every_command(here, capfd):
    (here / "pictures.yaml").write_text(RECIPE)

    def say(*arguments):
        answer = nano.call(capfd, *arguments)
        assert answer.code == 0, answer.err
        return answer.out

    say("validate", "pictures.yaml")
    say("run", "pictures.yaml", "--out", "r")
    assert [path.name for path in (here / "r/audio").glob("*.flac")] == ["low-saw-chord-0.flac"]
    say("generate", "r", "low saw", "--blend", "high bells", "--seconds", "0.5", "--out", "made")
    tags = read_tags(here / "made/low-saw-0.flac")
    assert (tags["prompt"], tags["blend"]) == ("low saw", "high bells")
    nano.tone(here / "a.wav", seconds=0.5)
    say("generate", "r", "low saw", "--from", "a.wav", "--strength", "0.5", "--out", "from")
    assert len([*(here / "from").glob("*.flac")]) == 1
