"""Adapters: small files that are put on any run of the same model, with any strength."""

import json
from pathlib import Path

import nano
import pytest
import torch
from safetensors.torch import load_file, save_file

import mousai_kit.api as mk
from mousai_kit import audio
from mousai_kit.core.errors import MousaiError
from mousai_kit.models import lora
from mousai_kit.runs import checkpoint
from mousai_kit.runs.adapter import Adapter

LAYER = "unet.depths.1.items_down.0.layers.1.queries"
SHORT = ("--seconds", "0.1")


def adapter(path="one.safetensors", *, layer=LAYER, rank=2, seed=0, outputs=16):
    """Write an adapter for a layer of the generator, with peft's names and no header."""
    torch.manual_seed(seed)
    named = f"base_model.model.{layer}"
    tensors = {
        f"{named}.lora_A.weight": torch.randn(rank, 16),
        f"{named}.lora_B.weight": torch.randn(outputs, rank),
    }
    save_file(tensors, path)
    return Path(path)


def product(path):
    a, b = load_file(path).values()
    return b @ a


def weight_of(trained, adapters):
    """Return a layer's weight of a run that plays with adapters."""
    stage = mk.load(trained, adapters=adapters, quiet=True).stages["generator"]
    return stage.get_submodule(LAYER).weight.detach()


def test_adapters_add_up_by_strength(trained):
    one, other = adapter("one.safetensors"), adapter("other.safetensors", seed=1)
    base = weight_of(trained, {})
    expected = base + 0.5 * product(one) - 2 * product(other)
    found = weight_of(trained, {"one.safetensors": 0.5, "other.safetensors": -2})
    assert torch.allclose(found, expected, atol=1e-6)


def test_pefts_folder_says_its_alpha(trained):
    Path("theirs").mkdir()
    path = adapter("theirs/adapter_model.safetensors")
    Path("theirs/adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 6}))
    expected = weight_of(trained, {}) + 3 * product(path)
    assert torch.allclose(weight_of(trained, {"theirs": 1.0}), expected, atol=1e-6)


def test_the_command_plays_with_adapters_and_says_so_in_the_clip(trained, command):
    one, other = adapter("one.safetensors"), adapter("o:ther.safetensors", seed=1)
    tags = []
    for said in ([], [str(one)], [f"{one}:0.5", str(other)]):
        options = [word for it in said for word in ("--adapter", it)]
        answer = command("generate", trained, "low", *SHORT, *options)
        assert answer.code == 0, answer.err
        tags.append(audio.read_tags(Path(answer.out.strip()))["weights"])
    digests = [Adapter.read(it).digest for it in (one, other)]
    assert tags[1:] == [f"{tags[0]} {digests[0]}*1", f"{tags[0]} {digests[0]}*0.5 {digests[1]}*1"]


def test_a_clip_of_another_strength_is_made_anew(trained, command):
    one = adapter()
    clips = [
        Path(command("generate", trained, "low", *SHORT, "--adapter", said).out.strip())
        for said in (f"{one}:0.5", f"{one}:0.5", str(one))
    ]
    assert len(set(clips)) == 1
    answer = json.loads(
        command("generate", trained, "low", *SHORT, "--adapter", str(one), "--json").out
    )
    assert answer[0]["reused"]
    assert audio.read_tags(clips[0])["weights"].endswith("*1")


def test_other_steps_keep_the_adapters(trained):
    one = adapter()
    cascade = mk.load(trained, adapters={str(one): 1.0}, quiet=True)
    clip = cascade.generate("low", seconds=0.1, steps=1)
    assert clip.tags["weights"].endswith(f"{Adapter.read(one).digest}*1")


def test_an_adapter_learned_beside_other_weights_is_told(trained, capfd):
    pairs = {LAYER: (torch.randn(2, 16), torch.randn(16, 2))}
    said = mk.load_recipe("nano.yaml", ["stages.generator.weights=x", "stages.generator.lora={}"])
    Adapter.write(
        Path("a.safetensors"), pairs, said.stages["generator"].lora, {"stage": "generator"}, "1234"
    )
    mk.load(trained, adapters={"a.safetensors": 1.0})
    assert capfd.readouterr().err == (
        f"a.safetensors: was learned beside other weights than {trained}/generator/"
        "weights.safetensors has, and may do something else with these\n"
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("nowhere", "--adapter nowhere: is no file and no folder"),
        ("nano.yaml", "--adapter nano.yaml: is no safetensors file"),
        (".", "--adapter .: holds no adapter; `run` makes one of a stage with `lora`"),
        ("one.safetensors:loud",
         ("--adapter: must be PATH or PATH:STRENGTH, the strength a number "
          "(got 'one.safetensors:loud')")),
        ("one.safetensors:nan", "--adapter one.safetensors: its strength must be a finite number"),
        ("wide.safetensors",
         ("--adapter wide.safetensors: is an adapter for another model: generator has "
          f"another shape for '{LAYER}'")),
        ("alien.safetensors",
         ("--adapter alien.safetensors: is an adapter for another model: autoencoder has no layer "
          "'transformer.blocks.0'")),
        ("odd.safetensors",
         ("--adapter odd.safetensors: is no adapter: its tensors are no pairs of lora_A.weight and "
          "lora_B.weight, but 'more'")),
        ("none.safetensors",
         ("--adapter none.safetensors: is no adapter: its tensors are no pairs of lora_A.weight "
          "and lora_B.weight")),
        ("theirs/adapter_model.safetensors",
         ("--adapter theirs/adapter_model.safetensors: theirs/adapter_config.json: says no rank "
          "(`r`) and `lora_alpha` in JSON")),
    ],
)  # fmt: skip
def test_what_is_no_adapter_for_this_run_is_one_line(trained, command, said, message):
    Path("nano.yaml").touch()
    adapter("one.safetensors")
    adapter("wide.safetensors", outputs=17)
    adapter("alien.safetensors", layer="transformer.blocks.0")
    Path("theirs").mkdir()
    adapter("theirs/adapter_model.safetensors")
    Path("theirs/adapter_config.json").write_text("[]")
    save_file(load_file("one.safetensors") | {"more": torch.zeros(1)}, "odd.safetensors")
    save_file({"weight": torch.zeros(1)}, "none.safetensors")
    answer = command("generate", trained, "low", *SHORT, "--adapter", said)
    assert (answer.code, answer.err.strip()) == (2, message)


def test_in_python_a_strength_that_is_no_number_is_one_line(trained):
    with pytest.raises(MousaiError) as refused:
        mk.load(trained, adapters={"one.safetensors": float("inf")}, quiet=True)
    assert str(refused.value) == ("adapters=one.safetensors: its strength must be a finite number")


def test_in_python_an_adapter_for_another_model_is_one_line(trained):
    adapter("alien.safetensors", layer="transformer.blocks.0")
    with pytest.raises(MousaiError) as refused:
        mk.load(trained, adapters={"alien.safetensors": 1.0}, quiet=True)
    assert str(refused.value) == (
        "adapters=alien.safetensors: is an adapter for another model: autoencoder has no layer "
        "'transformer.blocks.0'"
    )


def test_at_the_first_step_an_adapted_stage_is_the_base_to_the_bit(trained):
    system = nano.system("stages.generator.weights=x", "stages.generator.lora={rank: 4}").cascade
    stage, recipe = (
        system.stages["generator"],
        nano.recipe("stages.generator.weights=x", "stages.generator.lora={rank: 4}"),
    )
    before = {name: it.clone() for name, it in stage.state_dict().items()}
    lora.attach(
        stage,
        lora.target_layers(recipe, "generator", stage),
        recipe.stages["generator"].lora,
        seed=0,
    )
    for name in lora.detach(stage):
        assert stage.get_submodule(name).weight.equal(before[f"{name}.weight"])
    assert stage.state_dict().keys() == before.keys()


def test_files_of_adapters_are_small(here):
    recipe = mk.load_recipe(
        "mousai-small", ["stages.generator.weights=x", "stages.generator.lora={rank: 4}"]
    )
    stage = mk.build(
        mk.Stage, recipe.stages["generator"].model, input_space=mk.SignalSpace(64, 1024, 48000)
    )
    whole = sum(it.numel() for it in stage.parameters())
    lora.attach(
        stage,
        lora.target_layers(recipe, "generator", stage),
        recipe.stages["generator"].lora,
        seed=0,
    )
    learned = sum(it.numel() for it in stage.parameters() if it.requires_grad)
    assert 4 * learned < 3e6, (learned, whole)
    assert learned < whole / 20


def test_an_adapters_header_says_what_it_is(here):
    recipe = nano.recipe("stages.generator.weights=x", "stages.generator.lora={rank: 2, alpha: 3}")
    pairs = {LAYER: (torch.randn(2, 16), torch.randn(16, 2))}
    path = Path("a.safetensors")
    Adapter.write(path, pairs, recipe.stages["generator"].lora, {"stage": "generator"}, "1234")
    assert checkpoint.read_header(path)["lora"] == {"rank": 2, "alpha": 3.0, "base": "1234"}
    found = Adapter.read(path)
    assert (found.scale, found.stage, found.base) == (1.5, "generator", "1234")
