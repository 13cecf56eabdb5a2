"""The published Riffusion on a pipeline of the smallest size, which is saved here."""

import json
import shutil
from importlib import util
from pathlib import Path

import fake_hub
import nano
import pytest
import small_pipeline
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit.audio.tags import read_tags
from mousai_kit.core.interfaces import SignalSpace
from mousai_kit_riffusion.image import from_image
from mousai_kit_riffusion.pipeline import HINT
from mousai_kit_riffusion.riffusion import Riffusion

RATE, FRAME = 8000, 80
RECIPE = """\
version: 1
name: painted
device: cpu
audio: {sample_rate: 8000, channels: 1}
data: {use: tones, tracks: 4, held_out: 2}
stages:
  generator:
    model:
      use: riffusion
      model: pipeline
      steps: 2
      frames: 16
      picture: {bands: 32, highest: 4000.0, iterations: 2}
    train: {length: 1280, batch: 1, workers: 0}
generate: {prompts: [low saw], seconds: 0.2, guidance: 2.0}
"""


def stage(model=None, *, channels=1, **options):
    words = {"use": "riffusion", **small_pipeline.OPTIONS, **options}
    words["model"] = str(model or small_pipeline.folder())
    return mk.build(mk.Stage, words, input_space=SignalSpace(channels, 1, RATE)).eval()


def request(prompt="low saw", *, seed=3, frames=16, guidance=2.0, **controls):
    words = mk.Controls.model_validate(controls)
    return mk.GenerationRequest([prompt], [seed], frames * FRAME, guidance=guidance, controls=words)


@torch.no_grad()
def test_a_clip_is_the_picture_that_the_pipeline_paints_of_the_seeds_noise():
    made, asked = stage(), request()
    pipeline = small_pipeline.build()
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        "low saw",
        latents=asked.noise().normal(4, 16, 8),
        height=32,
        width=16,
        num_inference_steps=3,
        guidance_scale=2.0,
        output_type="np",
    ).images
    magnitudes = from_image(255 * torch.from_numpy(image), channels=1)
    expected = made.domain.spectrum.wave(magnitudes)
    torch.testing.assert_close(made.decode(None, asked), expected, atol=1e-3, rtol=1e-2)


@torch.no_grad()
def test_what_is_longer_is_several_pictures():
    made = stage()
    for frames, pictures in ((1, 1), (16, 1), (17, 2), (32, 3)):
        asked = request(frames=frames)
        assert made.windows(asked) == pictures
        assert made.decode(None, asked).shape == (1, 1, frames * FRAME)


@torch.no_grad()
def test_a_blend_goes_from_one_text_to_the_other_picture_by_picture():
    made = stage()
    first, other = (made.pipeline.embed([text], "cpu") for text in ("low saw", "high bells"))
    texts = made._texts(request(blend="high bells"), 3)
    for found, expected in zip(texts, (first, (first + other) / 2, other), strict=True):
        torch.testing.assert_close(found, expected)
    held = made._texts(request(blend="high bells", blend_at=0.25), 2)
    for found in held:
        torch.testing.assert_close(found, first + (other - first) / 4)


@torch.no_grad()
def test_negative_texts_and_variations_make_other_clips():
    made = stage()
    plain = made.decode(None, request())
    for controls in ({"negative": "high bells"}, {"variation": 1}, {"blend": "high bells"}):
        assert not torch.allclose(made.decode(None, request(**controls)), plain, atol=1e-3)


def test_its_weights_are_not_the_pipelines():
    assert [*stage().state_dict()] == ["loudest", "domain.mean", "domain.deviation"]


def test_it_goes_through_every_command(here, capfd):
    shutil.copytree(small_pipeline.folder(), "pipeline")
    Path("painted.yaml").write_text(RECIPE)

    def say(*arguments):
        answer = nano.call(capfd, *arguments)
        assert answer.code == 0, answer.err
        return answer.out

    say("validate", "painted.yaml")
    say("run", "painted.yaml", "--out", "r")
    assert [path.name for path in Path("r/audio").glob("*.flac")] == ["low-saw-0.flac"]
    assert not Path("r/generator/log.jsonl").exists(), "it has trained"
    say("generate", "r", "low saw", "--blend", "high bells", "--seconds", "0.4", "--out", "made")
    tags = read_tags(Path("made/low-saw-0.flac"))
    assert (tags["prompt"], tags["blend"]) == ("low saw", "high bells")


@torch.no_grad()
def test_a_pipeline_of_the_hub_is_fetched_without_what_is_not_needed(tmp_path, endpoint):
    folder = shutil.copytree(small_pipeline.folder(), tmp_path / "theirs")
    (folder / "unet/diffusion_pytorch_model.bin").write_bytes(b"never fetched")
    (folder / "theirs.py").write_text("raise SystemExit('it ran')")
    handler = fake_hub.of("some/pictures", folder)
    with fake_hub.served(handler) as url:
        endpoint(url)
        made = stage("some/pictures", revision=fake_hub.COMMIT).decode(None, request())
    assert torch.equal(made, stage().decode(None, request()))
    assert not any(path.endswith((".bin", ".py")) for path in handler.asked)


def test_a_pipeline_that_the_hub_does_not_have(tmp_path, endpoint):
    with fake_hub.served(fake_hub.of("some/other", tmp_path)) as url:
        endpoint(url)
        with pytest.raises(mk.WeightsError) as told:
            stage("no/where", revision=fake_hub.COMMIT).download()
    assert str(told.value) == f"no/where: can't be fetched: the hub has no such model; {HINT}"


def refused(model):
    with pytest.raises(mk.WeightsError) as told:
        stage(model).download()
    return str(told.value)


class TestFaults:
    @pytest.fixture
    def broken(self, tmp_path):
        """A copy of the pipeline, to break."""
        return shutil.copytree(small_pipeline.folder(), tmp_path / "broken")

    def test_no_folder(self):
        assert refused("./nowhere") == f"./nowhere: is no folder; {HINT}"

    def test_nothing_but_pickles(self, broken):
        weights = broken / "unet/diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".bin"))
        assert refused(broken) == f"{broken}: lacks unet/*.safetensors; {HINT}"

    def test_no_index(self, broken):
        (broken / "model_index.json").unlink()
        assert refused(broken) == f"{broken}: lacks model_index.json; {HINT}"

    def test_another_pipeline(self, broken):
        index = broken / "model_index.json"
        words = json.loads(index.read_text())
        index.write_text(json.dumps(words | {"_class_name": "FluxPipeline"}))
        told = "its model_index.json describes no Stable Diffusion pipeline"
        assert refused(broken) == f"{broken}: {told} (got 'FluxPipeline'); {HINT}"
        index.write_text("[]")
        assert refused(broken) == f"{broken}: {told}; {HINT}"

    def test_code_of_its_own(self, broken):
        index = broken / "model_index.json"
        words = json.loads(index.read_text())
        index.write_text(json.dumps(words | {"unet": ["own_unet", "UNet2DConditionModel"]}))
        told = f"{broken}: its unet needs code of its own, which is never run; {HINT}"
        assert refused(broken) == told

    def test_broken_weights(self, broken):
        (broken / "unet/diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
        told = refused(broken)
        assert told.startswith(f"{broken}: can't be read (")
        assert told.endswith(f"); {HINT}")
        assert "\n" not in told

    def test_sides_that_do_not_fit(self):
        with pytest.raises(mk.WeightsError) as told:
            stage(frames=18).download()
        assert str(told.value) == (
            f"{small_pipeline.FOLDER}: makes images whose sides are multiples of 4; set `bands` "
            "and `frames` so (got 32 and 18)"
        )

    def test_without_the_package(self, monkeypatch):
        found = util.find_spec
        monkeypatch.setattr(
            "mousai_kit_riffusion.pipeline.find_spec",
            lambda name: None if name == "diffusers" else found(name),
        )
        with pytest.raises(mk.PluginError) as told:
            stage().download()
        needed = "riffusion: needs the package diffusers: pip install 'mousai-kit[riffusion]'"
        assert str(told.value) == needed

    def test_a_name_on_the_hub_without_its_commit(self):
        with pytest.raises(ValidationError) as told:
            Riffusion.Options(model="riffusion/riffusion-model-v1")
        (problem,) = told.value.errors()
        assert problem["msg"] == (
            "Value error, must be the 40-digit commit to fetch of 'riffusion/riffusion-model-v1' "
            "from the hub; a folder needs none, but there is none of this name"
        )

    def test_more_channels_than_colours(self):
        with pytest.raises(mk.RequestError) as told:
            stage(channels=3)
        assert str(told.value) == "riffusion: paints mono or stereo (got 3 channels)"

    def test_latents_below(self):
        with pytest.raises(mk.PluginError) as told:
            mk.build(
                mk.Stage,
                {"use": "riffusion", **small_pipeline.OPTIONS},
                input_space=SignalSpace(2, 32, RATE),
            )
        assert str(told.value) == "riffusion makes audio: it must be the only stage"

    def test_it_encodes_nothing(self):
        with pytest.raises(mk.RequestError) as told:
            stage().encode(torch.zeros(1, 1, FRAME))
        assert str(told.value) == "riffusion makes audio from text and encodes nothing"
