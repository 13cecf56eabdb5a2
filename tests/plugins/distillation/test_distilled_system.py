"""A system whose generator is distilled: trained in one run, played both ways, and started from."""

import nano
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.runs import checkpoint
from mousai_kit.runs.adapter import Adapter
from mousai_kit.training.run import train_run

GENERATOR = "stages.generator"
DISTIL = f"{GENERATOR}.distil={{steps: 2, guidance: [1, 4], substeps: 2, train: {{steps: 3}}}}"


@pytest.fixture(scope="module")
def distilled(trained_once, tmp_path_factory):
    """Return the folder of a run whose generator was trained, then distilled."""
    here = tmp_path_factory.mktemp("distilled")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        train_run(nano.system(DISTIL, folder="run"))
        return here / "run"


def weights_of(folder):
    return checkpoint.read_checkpoint(folder / "generator/weights.safetensors")[0]


def test_both_trainings_leave_their_weights_in_one_file(distilled):
    teacher = checkpoint.read_checkpoint(distilled / "generator/teacher/weights.safetensors")[0]
    found = weights_of(distilled)
    for name, tensor in teacher.items():
        assert torch.equal(found[f"teacher.{name}"], tensor), name
    changes = [name for name in found if name.startswith("change.")]
    assert changes
    assert any(found[name].any() for name in changes)


def test_it_is_played_in_its_steps_and_by_the_teacher_in_others(distilled):
    system = mk.load(distilled, quiet=True)
    few, full = (system.generate("low saw", seconds=1, steps=steps) for steps in (2, 5))
    assert torch.equal(system.generate("low saw", seconds=1).audio, few.audio)
    plain = mk.load(distilled, [f"{GENERATOR}.distil.played=full"], steps=5, quiet=True)
    assert torch.equal(plain.generate("low saw", seconds=1).audio, full.audio)
    assert (few.audio - full.audio).abs().max() > 1e-3


def test_the_network_that_is_played_is_the_one_made_ready(distilled):
    for played in ("distilled", "full"):
        stage = mk.load(distilled, [f"{GENERATOR}.distil.played={played}"], quiet=True).stages[
            "generator"
        ]
        (network,) = stage.playing_networks()
        own = stage.teacher if played == "full" else stage._student
        assert network is own.unet


def test_a_run_that_is_distilled_is_the_teacher_of_another(distilled, trained_once, here):
    said = f"{GENERATOR}.distil={{teacher: {trained_once}, steps: 2, train: {{steps: 2}}}}"
    frozen = [f"stages.autoencoder.weights={trained_once}", "stages.autoencoder.freeze=['*']"]
    train_run(nano.system(said, *frozen, folder="run"))
    given, found = weights_of(trained_once), weights_of(here / "run")
    assert all(torch.equal(found[f"teacher.{name}"], tensor) for name, tensor in given.items())


def test_a_distilled_system_is_the_teacher_of_one_of_another_rank(distilled, here):
    said = f"{GENERATOR}.distil={{teacher: {distilled}, steps: 2, rank: 2, train: {{steps: 2}}}}"
    frozen = [f"stages.autoencoder.weights={distilled}", "stages.autoencoder.freeze=['*']"]
    train_run(nano.system(said, *frozen, folder="run"))
    given, found = weights_of(distilled), weights_of(here / "run")
    teacher = {name for name in given if name.startswith("teacher.")}
    assert all(torch.equal(found[name], given[name]) for name in teacher)
    assert any(name.startswith("change.down.") for name in found)


def test_the_stage_alone_starts_from_a_distilled_systems_weights(distilled, here):
    said = [f"{GENERATOR}.weights={distilled}", f"{GENERATOR}.freeze=['*']"]
    frozen = [f"stages.autoencoder.weights={distilled}", "stages.autoencoder.freeze=['*']"]
    train_run(nano.system(*said, *frozen, folder="run"))
    given, found = weights_of(distilled), weights_of(here / "run")
    assert found.keys() == {
        name.removeprefix("teacher.") for name in given if name.startswith("teacher.")
    }
    assert all(torch.equal(given[f"teacher.{name}"], tensor) for name, tensor in found.items())


def test_an_adapter_for_the_stage_alone_fits_what_was_made_of_it(distilled):
    stage = mk.load(distilled, quiet=True).stages["generator"]
    name = next(
        name
        for name, module in stage.teacher.named_modules()
        if name.startswith("unet.") and isinstance(module, torch.nn.Linear)
    )
    weight = stage.teacher.get_submodule(name).weight
    a, b = torch.ones(1, weight.shape[1]), torch.ones(weight.shape[0], 1)
    adapter, before = Adapter("one", {name: (a, b)}, 0.5, "digest", "generator"), weight.clone()
    assert adapter.fault(stage) == ""
    adapter.add_to(stage)
    torch.testing.assert_close(stage.teacher.get_submodule(name).weight, before + 0.5)
