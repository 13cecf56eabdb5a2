"""LoRA: adapters are learned alone, saved alone, and played with any strength."""

from pathlib import Path

import nano
import pytest

import mousai_kit.api as mk
from mousai_kit.data.stage_data import StageData
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run
from mousai_kit.training.validation import draws

BASE = "runs/nano"
TAKEN = ["stages.autoencoder.weights=runs/nano", "stages.autoencoder.freeze=['*']"]
LORA = [
    *TAKEN,
    "stages.generator.weights=runs/nano",
    "stages.generator.lora={rank: 2, alpha: 8}",
    "stages.generator.train.learning_rate=1e-2",
]
PLAY = {"seconds": 0.2, "guidance": 2.0}


def weights(run, stage="generator"):
    return checkpoint.read_checkpoint(Path(run) / stage / "weights.safetensors")[0]


@pytest.fixture
def tuned(trained):
    """Return the folder of a run with adapters on the generator of `runs/nano`."""
    train_run(nano.system(*LORA, folder="runs/tuned"))
    return Path("runs/tuned")


def wave(run, **more):
    return mk.load(run, quiet=True, **more).generate("low saw chord", **PLAY).audio


def test_a_tuned_run_has_adapters_apart_and_merged_weights_as_any_run(tuned):
    base, after = weights(BASE), weights(tuned)
    assert base.keys() == after.keys()
    changed = [name for name in base if not base[name].equal(after[name])]
    adapter = checkpoint.read_checkpoint(tuned / "generator/adapter.safetensors")[0]
    told = "base_model.model.{}.lora_{}.weight"
    assert {told.format(it.removesuffix(".weight"), end) for it in changed for end in "AB"} == (
        adapter.keys()
    )
    assert all(".depths." in name for name in changed)
    assert "unet.depths.1.items_down.0.resnet.first.convolution.weight" in changed
    assert "unet.depths.1.items_down.0.layers.1.keys_values.weight" in changed


def test_what_nobody_learns_is_taken_as_it_is(tuned, capfd):
    taken, base = weights(tuned, "autoencoder"), weights(BASE, "autoencoder")
    assert all(taken[name].equal(base[name]) for name in base)
    assert not (tuned / "autoencoder/checkpoints").exists()
    train_run(nano.system(*LORA, folder="runs/tuned"))
    assert "autoencoder: trained already" in capfd.readouterr().err


def test_strength_1_is_the_tuned_run_to_the_bit_and_strength_0_the_base(tuned):
    for strength, same in ((0, BASE), (1, tuned)):
        assert wave(BASE, adapters={str(tuned): strength}).equal(wave(same)), strength
    assert not wave(BASE).equal(wave(tuned))


def test_a_resumed_training_ends_with_the_same_bits(tuned):
    for steps in (2, 4):
        train_run(nano.system(*LORA, f"stages.generator.train.steps={steps}", folder="runs/halves"))
    for file in ("weights", "adapter"):
        one, other = (
            checkpoint.read_header(Path(run) / f"generator/{file}.safetensors")["digest"]
            for run in ("runs/halves", tuned)
        )
        assert one == other


def test_adapters_learn_other_music_than_the_base_knows(here):
    Path("music").mkdir()
    for number in range(6):
        nano.tone(f"music/{number}.wav", hertz=300 + 40 * number, seconds=2)
    quick = [
        "stages.generator.train.steps=60",
        "stages.generator.train.learning_rate=3e-3",
        "stages.generator.train.validate_every=99",
    ]
    train_run(nano.system(*quick, folder=BASE))
    songs = "data={use: folder, path: music, validation: 0.3}"
    tuned = nano.system(*LORA, *quick, songs, folder="runs/tuned")
    train_run(tuned)
    header = tuned.folder.provenance(tuned.recipe, "generator")
    clips = StageData.of(tuned).clips("generator", header, "validation")

    def loss(stage):
        return draws(stage, clips, seed=0, precision="fp32").means["right"]

    base = nano.system(*quick, folder=BASE).load()
    before, after = loss(base.cascade.stages["generator"]), loss(tuned.cascade.stages["generator"])
    assert after < 0.9 * before
