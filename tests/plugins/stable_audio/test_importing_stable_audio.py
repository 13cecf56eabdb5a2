"""`import stable-audio`: both stages of a folder as diffusers lays it out, or one."""

from pathlib import Path

import pytest
import small_stable_audio as small
import small_t5
import soundfile
from safetensors.torch import load_file, save_file

from mousai_kit.models.cascade import Cascade
from mousai_kit.models.lora import eligible_layers
from mousai_kit.runs import checkpoint

FILE = "diffusion_pytorch_model.safetensors"
RUN = Path("runs/small")


@pytest.fixture
def bring(command):
    """Return a function that imports a folder into `runs/small`, or fails to."""
    small.recipe()

    def importing(source="theirs", *more):
        run = () if (RUN / "recipe.yaml").exists() else ("--recipe", "small.yaml")
        return command("import", "stable-audio", source, "--into", RUN, *run, *more)

    return importing


def refused(said):
    """Return the lines of a refusal, once it is clear that nothing was written."""
    assert (said.code, said.out) == (2, "")
    assert not Path("runs").exists()
    return said.err.splitlines()


def test_all_stages_come_at_once_and_play(bring, command):
    small_t5.save(Path("t5"))
    small.saved()
    said = bring("theirs", "--set", "stages.generator.model.text.model=t5")
    assert said.err == ""
    generator, projection = f"theirs/transformer/{FILE}", f"theirs/projection_model/{FILE}"
    lines = said.out.splitlines()
    assert lines[0].startswith(f"theirs/vae/{FILE}: ")
    assert lines[1] == "runs/small/autoencoder/weights.safetensors"
    assert lines[2].startswith(f"{generator} and {projection}: ")
    assert lines[3:] == [
        "not in such a file, and left at their defaults: mean, deviation",
        "runs/small/generator/weights.safetensors",
    ]
    taken = checkpoint.read_checkpoint(RUN / "autoencoder" / "weights.safetensors")[0]
    theirs = load_file(f"theirs/vae/{FILE}")
    name = "decoder.block.0.conv_t1.weight_v"
    assert taken["decoder.2.weight.direction"].equal(theirs[name])
    made = command("generate", RUN, "Drums", "--out", "out")
    assert made.err == ""
    (wave,) = made.out.split()
    back = command("reconstruct", RUN, wave, "--out", "back.wav")
    assert (back.err, Path("back.wav").is_file()) == ("", True)


OTHERS = {
    "another sampler": ("--set", "stages.generator.model.sampler={use: dpmpp-2m, steps: 4}"),
    "a place in a track": ("--condition", "timing=30,180"),
    "guidance away from a text": ("--guidance", "7", "--negative", "Metal"),
}


@pytest.mark.parametrize("asked", OTHERS.values(), ids=OTHERS)
def test_what_other_systems_can_be_asked_it_can_be_asked_too(bring, command, asked):
    small_t5.save(Path("t5"))
    small.saved()
    bring("theirs", "--set", "stages.generator.model.text.model=t5")
    plain, other = (
        command("generate", RUN, "Drums", "--seconds", "0.08", "--out", out, *more)
        for out, more in (("plain", ()), ("other", asked))
    )
    assert (plain.err, other.err) == ("", "")
    one, another = (soundfile.read(said.out.strip())[0] for said in (plain, other))
    assert one.shape == another.shape
    assert abs(one - another).max() > 1e-3


def test_adapters_go_on_its_attention_and_its_feed_forward_layers(here):
    stage = Cascade.build(small.recipe(), device="meta").stages["generator"]
    found = eligible_layers(stage)
    for layer in ("attention.queries", "reading.values", "think", "conclude"):
        assert f"unet.blocks.1.{layer}" in found


def test_one_stage_may_be_named(bring):
    small.saved()
    assert bring("theirs", "--stage", "autoencoder").err == ""
    assert not (RUN / "generator" / "weights.safetensors").exists()
    assert bring("theirs", "--stage", "generator").err == ""


def test_where_one_stage_does_not_fit_none_is_written(bring):
    small.saved()
    file = Path("theirs/projection_model", FILE)
    tensors = load_file(file)
    save_file(tensors | {"text_projection.weight": tensors.popitem()[1]}, file)
    assert "has left over" in refused(bring())[-1]


def test_a_folder_that_lacks_a_file(bring):
    small.saved()
    Path("theirs/transformer", FILE).unlink()
    near = f"'vae/{FILE}'"
    assert refused(bring()) == [f"theirs: holds no file 'transformer/{FILE}'; did you mean {near}?"]


def test_a_format_that_knows_no_files_must_be_told_the_stage(command):
    from small_archinet import saved

    small.recipe()
    said = command("import", "archinet", saved(), "--recipe", "small.yaml", "--into", RUN)
    assert refused(said) == ["--stage: must say which stage the archinet weights are for"]


PLACE = "small.yaml:{}: stages.{}.model.{}: "
UNFIT = {
    "stages.generator.model.without_text=learned": (
        "without_text: stable-audio learns no null embedding; it must be 'masked'"
    ),
    "stages.generator.model.schedule=shifted-cosine": (
        "schedule: stable-audio has no 'shifted-cosine'; it must be 'cosine'"
    ),
    "stages.generator.model.text=t5-scratch": (
        "text: stable-audio has no 't5-scratch'; it must be 't5'"
    ),
    "stages.generator.model.conditioners.other={use: timing}": (
        "conditioners: stable-audio has one, 'stable-audio-timing' (got 2)"
    ),
    "stages.generator.model.conditioners.timing=timing": (
        "conditioners: stable-audio has one, 'stable-audio-timing'"
    ),
    "stages.autoencoder.model.adversary={}": (
        "adversary: stable-audio has no adversary's weights; it must be null"
    ),
    "stages.autoencoder.model.encoder.bottleneck=tanh": (
        "encoder.bottleneck: stable-audio has none; it must be 'none'"
    ),
    "stages.autoencoder.model.encoder.latent_channels=8": (
        "encoder.latent_channels: stable-audio's are as many as channels, 12 (got 8)"
    ),
    "stages.autoencoder.model.decoder.factors=[4, 4]": (
        "decoder.factors: stable-audio's are the encoder's, [2, 8] (got [4, 4])"
    ),
    "stages.autoencoder.model.encoder=magnitude": (
        "encoder: stable-audio has no 'magnitude'; it must be 'oobleck'"
    ),
}


@pytest.mark.parametrize(("change", "told"), UNFIT.items())
def test_what_it_has_no_network_for_is_refused_by_its_place(bring, change, told):
    said = refused(bring("theirs", "--set", change))
    assert said[0].endswith(f".model.{told}")


def test_another_stage_is_refused(command):
    from small_archinet import recipe

    recipe()
    said = command("import", "stable-audio", "theirs", "--recipe", "small.yaml")
    told = "stable-audio knows 'variational-autoencoder' and 'text-to-latent' only"
    assert refused(said)[0].endswith(f"stages.autoencoder.model.use: {told}")
