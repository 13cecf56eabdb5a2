"""Weights to start from: found wherever they lie, taken whole or in part, known by content."""

import shutil
from pathlib import Path

import nano
import pytest
import torch
from safetensors.torch import load_file, save_file

from mousai_kit.core.errors import MousaiError
from mousai_kit.runs import checkpoint
from mousai_kit.runs.weight_source import load_state_dict_file
from mousai_kit.training.finetuning import InitialWeights
from mousai_kit.training.run import train_run

STAGE = "generator"
ORIGIN = "nano.yaml:12: stages.autoencoder.weights"
FROM = "stages.autoencoder.weights={}"


def told(*overrides, folder="runs/new"):
    """Return what training with overrides is refused with."""
    with pytest.raises(MousaiError) as refused:
        train_run(nano.system(*overrides, text=nano.AUTOENCODER_ONLY, folder=folder))
    return str(refused.value)


def train(*overrides, folder="runs/new"):
    train_run(nano.system(*overrides, text=nano.AUTOENCODER_ONLY, folder=folder))
    return checkpoint.read_header(Path(folder) / "autoencoder/weights.safetensors")


@pytest.fixture
def exported(trained):
    """Return a folder of plain files, as `export` writes them."""
    folder = Path("plain")
    folder.mkdir()
    for name in ("autoencoder", "generator"):
        tensors = load_file(trained / name / "weights.safetensors")
        save_file(tensors, folder / f"{name}.safetensors")
    return folder


def test_weights_are_the_same_in_a_run_a_folder_and_a_file(trained, exported):
    places = (trained, exported, exported / "generator.safetensors", trained / "generator")
    found = [InitialWeights.at(str(place), STAGE) for place in places]
    assert {it.digest for it in found} == {
        checkpoint.read_header(trained / "generator/weights.safetensors")["digest"]
    }


def test_statistics_come_with_the_weights_and_are_not_measured_again(trained, monkeypatch):
    def measured(*_):
        raise AssertionError("statistics were measured")

    system = nano.system(FROM.format(trained), "seed=7", text=nano.AUTOENCODER_ONLY, folder="new")
    stage = system.cascade.stages["autoencoder"]
    monkeypatch.setattr(type(stage), "fit_statistics", measured)
    train_run(system)
    base = load_file(trained / "autoencoder/weights.safetensors")
    assert stage.domain.scale.equal(base["domain.scale"])


def test_a_start_changes_what_is_learned_and_not_what_it_is_called(trained, exported, capfd):
    fresh = train(folder="runs/fresh")
    first = train(FROM.format(trained))
    assert first["digest"] != fresh["digest"]
    again = train(FROM.format(exported))
    assert again == first
    assert "autoencoder: trained already" in capfd.readouterr().err


def test_other_weights_at_the_same_place_train_anew(trained, exported, capfd):
    first = train(FROM.format(exported))
    path = exported / "autoencoder.safetensors"
    save_file({name: 1.01 * it for name, it in load_file(path).items()}, path)
    assert train(FROM.format(exported))["digest"] != first["digest"]
    assert capfd.readouterr().err.splitlines()[-3] == (
        "autoencoder: the weights here are another recipe's (differs in the weights that it starts "
        "from); they are kept in runs/new/autoencoder.old-1, and training begins anew"
    )


def test_a_trained_stage_stays_when_its_start_is_gone(trained, exported, capfd):
    first = train(FROM.format(exported))
    for file in exported.iterdir():
        file.unlink()
    assert train(FROM.format(exported)) == first
    assert capfd.readouterr().err.splitlines()[-2:] == [
        (
            "--set stages.autoencoder.weights=plain: stages.autoencoder.weights: "
            f"{Path.cwd()}/plain: holds no file of weights (.safetensors, .pt, .pth, .ckpt, .bin, "
            ".th); autoencoder is trained already, and stays as it is"
        ),
        "autoencoder: trained already (runs/new/autoencoder/weights.safetensors)",
    ]


def test_partial_takes_what_fits_and_measures_the_rest(trained):
    wider = "stages.autoencoder.model.unet.channels=[16, 32]"
    system = nano.system(
        FROM.format(trained),
        "stages.autoencoder.partial=true",
        wider,
        "stages.autoencoder.train.learning_rate=1e-9",
        text=nano.AUTOENCODER_ONLY,
        folder="runs/new",
    )
    fresh = {k: v.clone() for k, v in system.cascade.stages["autoencoder"].state_dict().items()}
    train_run(system)
    base = load_file(trained / "autoencoder/weights.safetensors")
    after = load_file("runs/new/autoencoder/weights.safetensors")
    for name, tensor in after.items():
        start = base[name] if base[name].shape == tensor.shape else fresh[name]
        assert torch.allclose(tensor, start, atol=1e-6), name


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("nowhere", "nowhere: is no file, no folder, and no name of a model (owner/name)"),
        ("empty", "empty: holds no file of weights (.safetensors, .pt, .pth, .ckpt, .bin, .th)"),
        ("two", ("two: holds several files of weights; none of them autoencoder.safetensors: "
         "'a.safetensors' and 'b.safetensors'")),
        ("old.pt", "old.pt: is no safetensors file; `mousai-kit import` reads torch files"),
        ("text.safetensors", ("text.safetensors: is broken or cut short (Error while deserializing "
         "header: header too small)")),
        ("lone.safetensors", ("lone.safetensors: fits another model: lacks 'domain.scale', "
         "'encoder.pyramid.enter.adapter.bias' and 'encoder.pyramid.enter.adapter.weight' and 85 "
         "more; has 'tensor' too many")),
        ("runs/half", ("runs/half: has no trained stage 'autoencoder'; did you mean "
         "'autoencoders'?")),
        ("runs/none", "runs/none: has no trained stage 'autoencoder'"),
        ("runs/new", ("runs/new/autoencoder/weights.safetensors is in this run's own folder; name "
         "another for the run")),
    ],
)  # fmt: skip
def test_what_can_not_be_started_from_is_one_line(trained, said, message):
    for folder in ("empty", "two", "runs/half/autoencoders", "runs/none", "runs/new"):
        Path(folder).mkdir(parents=True)
    for run in ("half", "none"):
        Path(f"runs/{run}/recipe.yaml").touch()
    for file in ("two/a", "two/b", "lone", "runs/half/autoencoders/weights"):
        save_file({"tensor": torch.zeros(1)}, f"{file}.safetensors")
    Path("old.pt").touch()
    Path("text.safetensors").write_text("no")
    trained.joinpath("autoencoder").rename("runs/new/autoencoder")
    place = f"--set stages.autoencoder.weights={said}: stages.autoencoder.weights"
    here = "" if said == "nowhere" else f"{Path.cwd()}/"
    assert told(FROM.format(said), "seed=3") == f"{place}: {here}{message}"


def test_weights_that_do_not_fit_are_told_before_any_stage_trains(trained, command):
    save_file({"tensor": torch.zeros(1)}, "lone.safetensors")
    shutil.copy(trained / "generator/weights.safetensors", "cut.safetensors")
    nano.cut("cut.safetensors")
    other = (
        "fits another model: lacks 'deviation', 'mean' and 'null' and 97 more; has 'tensor' too "
        "many"
    )
    broken = (
        "is broken or cut short (Error while deserializing header: incomplete metadata, file not "
        "fully covered)"
    )
    for file, message in (("lone.safetensors", other), ("cut.safetensors", broken)):
        override = f"stages.generator.weights={file}"
        answer = command("run", "nano.yaml", "--set", override, "--out", "runs/new")
        place = f"--set {override}: stages.generator.weights: {Path.cwd()}/{file}"
        assert (answer.code, answer.err) == (2, f"{place}: {message}\n")
        assert not [*Path("runs/new").glob("[!.]*")]


def test_an_adapter_is_no_weights_to_start_from_and_is_told(trained):
    pair = {f"base_model.model.unet.x.lora_{end}.weight": torch.zeros(1, 1) for end in "AB"}
    save_file(pair, "adapter.safetensors")
    assert told(FROM.format("adapter.safetensors")) == (
        "--set stages.autoencoder.weights=adapter.safetensors: stages.autoencoder.weights: "
        f"{Path.cwd()}/adapter.safetensors: is an adapter, not a stage's weights; name those that "
        "it was learned beside, and it with `--adapter`"
    )


def test_weights_of_compiled_modules_are_the_same_weights(trained, exported):
    file = exported / "autoencoder.safetensors"
    compiled = {
        name.replace("unet.", "unet._orig_mod.", 1): tensor
        for name, tensor in load_file(file).items()
    }
    assert any("_orig_mod" in name for name in compiled)
    save_file(compiled, "compiled.safetensors")
    torch.save({f"_orig_mod.{name}": tensor for name, tensor in load_file(file).items()}, "all.pt")
    one, other = (
        InitialWeights.at(str(it), "autoencoder") for it in (file, "compiled.safetensors")
    )
    assert one.digest == other.digest
    assert one.tensors().keys() == other.tensors().keys()
    assert load_state_dict_file(Path("all.pt"), "all.pt").keys() == one.tensors().keys()
    train(FROM.format("compiled.safetensors"), "stages.autoencoder.freeze=['*']")


def test_weights_of_which_nothing_fits_are_refused_also_in_part(trained):
    save_file({"tensor": torch.zeros(1)}, "lone.safetensors")
    assert told(FROM.format("lone.safetensors"), "stages.autoencoder.partial=true") == (
        "--set stages.autoencoder.weights=lone.safetensors: stages.autoencoder.weights: "
        f"{Path.cwd()}/lone.safetensors: has no tensor that fits"
    )


def test_a_revision_is_for_the_hub(trained):
    revision = "stages.autoencoder.revision=abc"
    assert told(FROM.format(trained), revision).endswith(
        "stages.autoencoder.weights: `revision` is for a model on the hub, and this is a file or "
        "folder"
    )


def test_latents_of_another_stage_below_are_told(trained, capfd):
    train_run(nano.system("seed=5", f"stages.generator.weights={trained}", folder="runs/new"))
    assert (
        "generator: these weights learned the latents of another stage below than there is here; "
        "to take that as well, name its `weights` too, with `freeze: ['*']`\n"
    ) in capfd.readouterr().err
