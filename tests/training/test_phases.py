"""Phases: a stage inside a stage is trained before it, alone, with a folder of its own."""

import json
import os
import signal
from pathlib import Path

import drafted
import nano
import pytest
from safetensors.torch import load_file

import mousai_kit.api as mk
from mousai_kit.evaluation import report
from mousai_kit.evaluation.evaluation import ReconstructionScores, worse_than_drafts
from mousai_kit.recipe import trainings
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.status import status_message
from mousai_kit.training.planning.disk import check_training_space
from mousai_kit.training.run import train_run
from mousai_kit.training.trainer import Trainer

FOLDER = Path("runs/nano")
OUTER, INNER = (FOLDER / it / "weights.safetensors" for it in ("autoencoder", "autoencoder/draft"))


def train(*overrides, folder=FOLDER, text=drafted.AUTOENCODER_ONLY):
    system = drafted.system(*overrides, folder=folder, text=text)
    train_run(system)
    return system


def inner(tensors):
    return {
        name.removeprefix("draft."): it for name, it in tensors.items() if name.startswith("draft.")
    }


def same(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def killed(name, step):
    """Train in another process, which is killed before a step, when a checkpoint is there."""
    learn = Trainer.train_step

    def deadly(self, batch):
        if (self.name, self.step) == (name, step):
            self.checkpoints.wait()
            os.kill(os.getpid(), signal.SIGKILL)
        return learn(self, batch)

    if not (child := os.fork()):
        Trainer.train_step = deadly
        train()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def test_the_stage_holds_what_the_phase_learned_and_learns_the_rest(here):
    system = drafted.system()
    state = system.cascade.stages["autoencoder"].state_dict()
    before = {name: it.clone() for name, it in state.items()}
    train_run(system)
    after, phase = load_file(OUTER), load_file(INNER)
    assert same(inner(after), phase)
    learned = {name for name in before if not before[name].equal(after[name])}
    assert "draft.decoder.linear.weight" in learned
    assert any(name.startswith("unet.") for name in learned)
    header = checkpoint.read_header(INNER)
    assert (header["stage"], header["step"]) == ("autoencoder/draft", 4)
    assert not list(Path(FOLDER).glob("draft*"))


def test_a_second_run_uses_what_is_there(here, capfd):
    train()
    before = OUTER.read_bytes(), INNER.read_bytes()
    capfd.readouterr()
    train()
    assert (OUTER.read_bytes(), INNER.read_bytes()) == before
    assert capfd.readouterr().err == f"autoencoder: trained already ({OUTER})\n"


@pytest.mark.parametrize("name", ["autoencoder/draft", "autoencoder"])
def test_killed_in_the_phase_or_after_it_training_ends_with_the_same_bits(here, name):
    whole = load_file(train(folder="runs/whole").folder.stage("autoencoder").weights)
    killed(name, 3)
    system = drafted.system()
    assert status_message(system.recipe, system.folder) == (
        f"runs/nano has a checkpoint of '{name}' at step 2 of 4; the same command goes on from it"
    )
    train_run(system)
    assert same(load_file(OUTER), whole)


def test_what_is_not_begun_is_told_by_the_name_of_the_phase(here):
    system = drafted.system()
    assert status_message(system.recipe, system.folder) == (
        "runs/nano has no checkpoint of 'autoencoder/draft' yet; the same command goes on with "
        "what is there"
    )


@pytest.mark.parametrize(
    "change",
    [
        "stages.autoencoder.train.steps=6",
        "stages.autoencoder.train.learning_rate=1e-3",
        "stages.autoencoder.model.unet.modulation_features=32",
        "stages.autoencoder.model.levels=0.8",
    ],
)
def test_a_change_of_the_rest_leaves_the_phase_as_it_is(here, change, capfd):
    train()
    outer, before = OUTER.read_bytes(), INNER.read_bytes()
    capfd.readouterr()
    train(change)
    assert INNER.read_bytes() == before
    assert OUTER.read_bytes() != outer
    assert f"autoencoder/draft: trained already ({INNER})\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("stages.autoencoder.model.draft.channels=24", "model.draft.channels"),
        ("stages.autoencoder.first.draft.learning_rate=1e-3", "first.draft.learning_rate"),
    ],
)
def test_a_change_of_the_inner_stage_trains_both_anew(here, change, differs, capfd):
    train()
    outer, before = OUTER.read_bytes(), INNER.read_bytes()
    capfd.readouterr()
    train(change)
    assert INNER.read_bytes() != before
    assert OUTER.read_bytes() != outer
    assert (
        "autoencoder: the weights here are another recipe's (differs in "
        f"stages.autoencoder.{differs}); they are kept in runs/nano/autoencoder.old-1, and "
        "training begins anew\n"
    ) in capfd.readouterr().err
    kept = FOLDER / "autoencoder/draft.old-1/weights.safetensors"
    assert kept.read_bytes() == before
    assert (FOLDER / "autoencoder.old-1/weights.safetensors").read_bytes() == outer


def test_more_steps_of_the_phase_go_on_with_it(here, capfd):
    train()
    capfd.readouterr()
    train("stages.autoencoder.first.draft.steps=6")
    assert "autoencoder/draft: going on from step 4\n" in capfd.readouterr().err
    assert checkpoint.read_header(INNER)["step"] == 6
    assert same(inner(load_file(OUTER)), load_file(INNER))


@pytest.mark.parametrize("option", ["start=0.1", "refine=false", "draft.low_rounds=3"])
def test_what_only_decides_how_a_draft_is_played_trains_nothing(here, option):
    train()
    before = OUTER.read_bytes()
    train(f"stages.autoencoder.model.{option}")
    assert OUTER.read_bytes() == before


def test_the_weights_of_the_stage_need_nothing_of_its_phases(here):
    system = train()
    for path in sorted((FOLDER / "autoencoder/draft").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (FOLDER / "autoencoder/draft").rmdir()
    again = train()
    assert not INNER.exists()
    expected = system.cascade.stages["autoencoder"].state_dict()
    assert same(again.cascade.stages["autoencoder"].state_dict(), expected)


def test_given_weights_that_are_complete_need_no_phase(here, capfd):
    train()
    capfd.readouterr()
    given = "stages.autoencoder.weights=runs/nano"
    system = train(given, "stages.autoencoder.train.steps=2", folder="runs/tuned")
    assert [name for _, name in trainings(system.recipe, "autoencoder")] == ["autoencoder"]
    assert not Path("runs/tuned/autoencoder/draft").exists()
    tuned = load_file("runs/tuned/autoencoder/weights.safetensors")
    assert same(inner(tuned), load_file(INNER))
    assert not same(tuned, load_file(OUTER))


def test_what_is_left_out_has_the_defaults_of_train(here):
    recipe = nano.recipe(text=drafted.AUTOENCODER_ONLY.replace(drafted.FIRST, ""))
    (phase, name), _ = trainings(recipe, "autoencoder")
    assert (name, phase.stages[name].train.steps) == ("autoencoder/draft", 1_000_000)


def test_a_stage_without_one_inside_has_the_key_and_the_values_that_it_had(here):
    recipe = nano.recipe()
    assert "first" not in recipe.to_dict()["stages"]["autoencoder"]
    assert [name for _, name in trainings(recipe, "autoencoder")] == ["autoencoder"]


def test_a_recipe_with_phases_survives_its_dump(here):
    recipe = nano.recipe(text=drafted.RECIPE)
    Path("again.yaml").write_text(recipe.to_yaml())
    assert mk.load_recipe("again.yaml") == recipe


def test_the_disk_is_asked_to_hold_the_phase_too(here, monkeypatch):
    needed = []
    monkeypatch.setattr(
        "mousai_kit.training.planning.disk.check_disk_space",
        lambda path, size, *_: needed.append(size),
    )
    system = drafted.system()
    check_training_space(system.recipe, system.folder)
    train()
    INNER.unlink()
    OUTER.unlink()
    check_training_space(system.recipe, system.folder)
    assert needed[0] > needed[-1] > 0


def test_demos_are_heard_in_the_phase(here):
    train("demo={every: 4, clips: 1, seconds: 0.2}")
    heard = sorted(it.parent.name for it in (FOLDER / "autoencoder/draft/demos").rglob("*.flac"))
    assert heard == ["real", "step-00000004"]


def test_the_plan_has_the_phase_before_its_stage(here, command):
    Path("nano.yaml").write_text(drafted.AUTOENCODER_ONLY)
    answer = command("plan", "nano.yaml", "--seconds", "1", "--json")
    assert answer.code == 0, answer.err
    stages = json.loads(answer.out)["stages"]
    assert [it["name"] for it in stages] == ["autoencoder/draft", "autoencoder"]
    draft, outer = (it["parameters"] for it in stages)
    assert outer["frozen"] == draft["learned"]


def test_run_makes_music_and_the_report_compares_with_the_draft(here, command):
    Path("nano.yaml").write_text(drafted.RECIPE)
    answer = command("run", "nano.yaml")
    assert answer.code == 0, answer.err
    assert Path("runs/nano/audio/low-saw-chord-0.flac").is_file()
    figures = json.loads((FOLDER / "report.json").read_text())
    ways = figures["decoded"][0]["log-mel-distance"]
    assert list(ways) == ["trained", "untrained", "other", "draft"]
    assert "| clip | trained | untrained | other | draft |" in (FOLDER / "report.md").read_text()


def test_a_draft_is_played_as_it_is_where_it_is_not_to_be_refined(here):
    train(text=drafted.RECIPE)
    system = drafted.system("stages.autoencoder.model.refine=false", text=drafted.RECIPE).load()
    figures = report.write_report(system)
    ways = figures["decoded"][0]["log-mel-distance"]
    assert ways["trained"] == ways["draft"]


SCORES = {"trained": [2.0, 4.0], "untrained": [9.0, 9.0], "draft": [1.0, 3.0]}


WORSE = (
    "autoencoder: refining makes held-out clips worse: m 3.00, of the draft alone 2.00; train "
    "longer, begin at less noise (`start`), or play the draft (`refine: false`)"
)


@pytest.mark.parametrize(
    ("split", "better", "lines"),
    [("validation", "lower", [WORSE]), ("validation", "higher", []), ("train", "lower", [])],
)
def test_a_sound_that_is_worse_refined_is_told(split, better, lines):
    decoded = ReconstructionScores("autoencoder", split, ["one", "two"], {"m": SCORES})
    assert worse_than_drafts([decoded], {"m": better}) == lines


def test_the_warning_stands_in_the_report(here):
    train(text=drafted.RECIPE)
    system = drafted.system(text=drafted.RECIPE).load()
    report.write_report(system)
    assert (
        "\n- autoencoder: refining makes held-out clips worse: "
        in (RunFolder(FOLDER).path / "report.md").read_text()
    )
