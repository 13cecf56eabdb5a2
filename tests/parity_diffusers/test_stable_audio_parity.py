"""Stable Audio's classes in diffusers give what our stages give with the same weights.

Each test saves models of theirs with random weights, as they save themselves, and imports them by
our command. `python -m pytest tests/parity_diffusers -rP` prints the errors.
"""

from pathlib import Path

import pytest
import small_stable_audio as small
import small_t5
import torch

import mousai_kit.api as mk
import mousai_kit.audio.torchaudio_compat  # noqa: F401  before diffusers imports torchaudio itself
from mousai_kit.core.component import Use
from mousai_kit.core.console import Screen
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder

transformers = mk.transformers()
reason = "diffusers is not installed; pip install -e '.[parity-diffusers]'"
diffusers = pytest.importorskip("diffusers", reason=reason)
pytest.importorskip("torchsde", reason=reason)

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's old weight norm, which theirs has
OUTPUTS = 1e-5
"""Largest error of latents, audio, velocities and samples, over the largest number, in float32."""
PROMPTS = ["Egyptian Darbuka", "Metal, 2011"]
SEEDS = (11, 13)
STEPS, SCALE = 10, 7.0
LATENT, TEXT = 64, 768
"""Channels of a latent of Stable Audio Open's, and features of a token of T5-base."""


def error(ours, theirs):
    """Return the largest error over the largest number; `pytest -rP` shows it."""
    assert ours.shape == theirs.shape
    found = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"error {found:.1e}")
    return found


def stirred(model, seed):
    """Return a model with other weights than it begins with: activations and norms differ, too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def small_vae():
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=12,
        downsampling_ratios=[2, 8],
        channel_multiples=[1, 2],
        decoder_channels=12,
        decoder_input_channels=small.LATENTS,
        audio_channels=2,
        sampling_rate=8000,
    )


def small_transformer():
    return diffusers.StableAudioDiTModel(
        sample_size=small.FRAMES,
        in_channels=small.LATENTS,
        out_channels=small.LATENTS,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        num_key_value_attention_heads=2,
        cross_attention_dim=24,
        time_proj_dim=16,
        global_states_input_dim=2 * small.FEATURES,
        cross_attention_input_dim=small.FEATURES,
    )


def projection_model(features=small.FEATURES):
    return diffusers.StableAudioProjectionModel(
        text_encoder_dim=features, conditioning_dim=features, min_value=0, max_value=512
    )


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """Return a pipeline of theirs at the smallest size, saved in `theirs`."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    t5 = small_t5.save(tmp_path / "t5")
    made = diffusers.StableAudioPipeline(
        vae=stirred(small_vae(), 1),
        text_encoder=transformers.T5EncoderModel.from_pretrained(t5).eval(),
        projection_model=stirred(projection_model(), 2),
        tokenizer=transformers.PreTrainedTokenizerFast.from_pretrained(t5, model_max_length=16),
        transformer=stirred(small_transformer(), 3),
        scheduler=diffusers.CosineDPMSolverMultistepScheduler(),
    )
    made.set_progress_bar_config(disable=True)
    made.save_pretrained("theirs")
    return made


@pytest.fixture
def system(pipeline, command):
    """Return our system with the pipeline's weights, imported all at once."""
    text = "stages.generator.model.text.model=t5"
    recipe = small.recipe(text)
    said = command(
        *("import", "stable-audio", "theirs", "--recipe", "small.yaml", "--into", "runs/small"),
        *("--set", text),
    )
    assert said.err == ""
    return Run(recipe, RunFolder(Path("runs/small")), Screen()).load()


@torch.no_grad()
def test_the_latents_of_audio_are_theirs(pipeline, system):
    wave = 0.3 * torch.randn(2, 2, 1024)
    ours = system.cascade.stages["autoencoder"].encode(wave)
    assert error(ours, pipeline.vae.encode(wave).latent_dist.mode()) < OUTPUTS


@torch.no_grad()
def test_the_audio_of_latents_is_theirs(pipeline, system):
    latents = torch.randn(2, small.LATENTS, 64)
    request = mk.GenerationRequest(PROMPTS, SEEDS, 1024)
    ours = system.cascade.stages["autoencoder"].decode(latents, request)
    assert error(ours, pipeline.vae.decode(latents).sample) < OUTPUTS


@torch.no_grad()
def test_the_velocity_is_theirs_told_a_text_and_a_timing(pipeline, system):
    stage = system.cascade.stages["generator"]
    text, timing = stage.text(PROMPTS), torch.tensor([[0.0, 47.5], [30.0, 120.0]])
    told = stage._hear({"timing": timing}, 2, small.FRAMES).behind(text)
    x, sigma = torch.randn(2, small.LATENTS, small.FRAMES), torch.tensor([0.9, 0.3])
    ours = stage.unet(x, sigma, text=told)

    seconds = pipeline.projection_model(None, timing[:, 0], timing[:, 1])
    start, end = seconds.seconds_start_hidden_states, seconds.seconds_end_hidden_states
    embeds = pipeline.encode_prompt(PROMPTS, "cpu", False)
    theirs = pipeline.transformer(
        x,
        sigma,
        encoder_hidden_states=torch.cat([embeds, start, end], 1),
        global_hidden_states=torch.cat([start, end], 2),
        rotary_embedding=rotary(pipeline.rotary_embed_dim, small.FRAMES),
    ).sample
    assert error(ours, theirs) < OUTPUTS


@torch.no_grad()
@pytest.mark.parametrize("negative", [None, "Drums"])
def test_ten_guided_steps_of_their_pipeline_make_what_ours_do(
    pipeline, system, negative, monkeypatch
):
    """Their pipeline with their scheduler, and our sampler at their scheduler's levels.

    Both are given the same noise: theirs would draw it from a Brownian tree.
    """
    ours = ours_guided(system, negative)
    assert error(ours, theirs_guided(pipeline, negative, monkeypatch)) < OUTPUTS


@torch.no_grad()
def test_guidance_that_forgets_the_timing_is_another(pipeline, system, monkeypatch):
    """What would pass for theirs if the comparison were too coarse."""
    system.cascade.stages["generator"].always_told = []
    theirs = theirs_guided(pipeline, None, monkeypatch)
    assert error(ours_guided(system, None), theirs) > 100 * OUTPUTS


def request_of(negative):
    """Return a request for clips of two prompts, guided."""
    return mk.GenerationRequest(
        PROMPTS,
        SEEDS,
        small.FRAMES * small.STRIDE,
        guidance=SCALE,
        controls=mk.Controls(negative=negative),
    )


def ours_guided(system, negative):
    """Return the audio of ten guided steps of our sampler, at their scheduler's levels."""
    stage, request = system.cascade.stages["generator"], request_of(negative)
    stage._sampler_use = stage._sampler_use.replace(levels=Use(TheirLevels, mk.Options()))
    return system.cascade.stages["autoencoder"].decode(stage.decode(None, request), request)


def theirs_guided(pipeline, negative, monkeypatch):
    """Return the audio of their pipeline, with noise as ours."""
    noise = request_of(negative).noise()
    shape = (small.LATENTS, small.FRAMES)
    latents = noise.normal(*shape)
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_cosine_dpmsolver_multistep.BrownianTreeNoiseSampler",
        lambda *_, **__: lambda *_: noise.normal(*shape),
    )
    asked = {
        "audio_end_in_s": small.FRAMES * small.STRIDE / 8000,
        "num_inference_steps": STEPS,
        "guidance_scale": SCALE,
        "negative_prompt": None if negative is None else [negative] * 2,
        "latents": latents,
        "generator": torch.Generator(),
    }
    return pipeline(PROMPTS, **asked).audios


class TheirLevels(mk.Schedule):
    """The cosine schedule's mixtures at the levels of their scheduler, which begin below 1."""

    name = "their-levels"

    def weights(self, sigma):
        angle = sigma * (torch.pi / 2)
        return angle.cos(), angle.sin()

    def levels(self, steps):
        scheduler = diffusers.CosineDPMSolverMultistepScheduler()
        scheduler.set_timesteps(steps)
        return scheduler.sigmas.double().atan() * 2 / torch.pi


def rotary(features, frames):
    """Return the turns that their pipeline makes, with a frame for what stands before x."""
    return diffusers.models.embeddings.get_1d_rotary_pos_embed(
        features, frames + 1, use_real=True, repeat_interleave_real=False
    )


class TestAtThePublishedWidths:
    """The published sizes: the autoencoder whole, of the transformer two blocks of twenty-four."""

    @pytest.fixture
    def stages(self, build):
        """Return our stages as `recipes/stable-audio.yaml` has them, two blocks deep."""
        depth = "stages.generator.model.unet.depth=2"
        recipe = load_recipe("stable-audio", [depth], registry=installed_registry())
        return recipe, Cascade.build(recipe).stages

    @torch.no_grad()
    def test_the_autoencoder(self, stages):
        model = stirred(diffusers.AutoencoderOobleck(), 1)
        take(stages, "autoencoder", {"": model})
        stage = stages[1]["autoencoder"]
        wave = 0.3 * torch.randn(1, 2, 8192)
        latents = model.encode(wave).latent_dist.mode()
        assert error(stage.encode(wave), latents) < OUTPUTS
        request = mk.GenerationRequest([""], [1], 8192)
        assert error(stage.decode(latents, request), model.decode(latents).sample) < OUTPUTS

    @torch.no_grad()
    def test_the_transformer(self, stages):
        model = stirred(diffusers.StableAudioDiTModel(num_layers=2), 2)
        projection = stirred(projection_model(TEXT), 3)
        take(stages, "generator", {"transformer.": model, "projection_model.": projection})
        stage = stages[1]["generator"]
        embedding, timing = torch.randn(1, 128, TEXT), torch.tensor([[0.0, 47.5]])
        text = mk.TextEmbedding(embedding, torch.arange(128)[None] < 9)
        told = stage._hear({"timing": timing}, 1, 64).behind(text)
        x, sigma = torch.randn(1, LATENT, 64), torch.tensor([0.6])
        tokens = stage.conditioners.parts["timing"](timing, frames=64)
        theirs = model(
            x,
            sigma,
            encoder_hidden_states=torch.cat([embedding * text.mask[..., None], tokens], 1),
            global_hidden_states=tokens.flatten(1)[:, None],
            rotary_embedding=rotary(32, 64),
        ).sample
        assert error(stage.unet(x, sigma, text=told), theirs) < OUTPUTS

    def test_there_are_as_many_parameters(self):
        recipe = load_recipe("stable-audio", registry=installed_registry())
        ours = Cascade.build(recipe, device="meta").stages
        with torch.device("meta"):
            vae, transformer = diffusers.AutoencoderOobleck(), diffusers.StableAudioDiTModel()
            projection = projection_model(TEXT)
        count = [*map(parameters, (vae, transformer, projection))]
        drawn = ours["generator"].unet.level.frequencies.numel()  # a buffer here
        assert parameters(ours["autoencoder"]) == count[0]
        assert parameters(ours["generator"].unet) + drawn == count[1]
        assert parameters(ours["generator"].conditioners) == count[2]
        print(f"{count[0] / 1e6:.3f} M, {count[1] / 1e6:.3f} M, {count[2] / 1e6:.3f} M")


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def take(stages, name, models):
    """Load models of theirs, by how names of theirs begin, into a stage of ours."""
    from mousai_kit.runs.import_weights import resolve_layouts
    from mousai_kit.runs.weight_matching import NameMatch

    recipe, built = stages
    theirs = {
        prefix + key: tensor
        for prefix, model in models.items()
        for key, tensor in model.state_dict().items()
    }
    match = NameMatch.best(resolve_layouts("stable-audio", recipe, name)[0], theirs.keys())
    tensors = match.to_ours(theirs, built[name].state_dict(), origin="theirs")
    built[name].load_state_dict(tensors)
