"""Trained systems that come with a package: known by name wherever a run folder is taken."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import json
import os
import shutil
from pathlib import Path

import nano
import pytest
import trained_package
from safetensors.torch import load_file

import mousai_kit.api as mk
from mousai_kit import audio
from mousai_kit.cli.doctor import components
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import Registry
from mousai_kit.training.run import train_run

OWNER = "theirs 1.2 (piano)"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture(autouse=True)
def untouched(packaged):
    """Nothing is ever written into the package."""
    before = state(packaged)
    yield
    assert state(packaged) == before


def state(folder):
    files = sorted(folder.rglob("*"))
    return [(it, it.stat().st_mtime_ns, it.stat().st_size) for it in files]


class TestCommands:
    def test_generate_needs_the_name_alone_and_writes_here(self, command):
        said = command("generate", "piano", "low saw", "--seconds", 0.2)
        assert (said.code, said.out, said.err) == (0, "runs/piano/audio/low-saw-0.flac\n", "")
        assert nano.names("runs/piano") == ["audio"]

    def test_generate_writes_where_it_is_told(self, command):
        command("generate", "piano", "low saw", "--seconds", 0.2, "--out", "here")
        assert nano.names() == ["here", "shelf"]

    def test_reconstruct_evaluate_and_export_write_here(self, command):
        nano.tone("a.wav")
        said = command("reconstruct", "piano", "a.wav")
        assert said.out == "runs/piano/audio/a-reconstructed.flac\n"
        said = command("evaluate", "piano", "--json")
        assert said.code == 0, said.err
        assert json.loads(said.out)["loss"]["generator"]["validation"]["right"] > 0
        said = command("export", "piano")
        assert said.out.splitlines()[1:] == [
            "runs/piano/export/autoencoder.safetensors",
            "runs/piano/export/generator.safetensors",
        ]

    def test_evaluate_replaces_no_runs_report(self, command, trained_once):
        shutil.copytree(trained_once, "runs/piano")
        said = command("evaluate", "piano")
        assert said.code == 2
        assert said.err == (
            "runs/piano: is another run's folder, whose report this would replace; stand in "
            "another folder\n"
        )

    def test_ls_lists_it(self, command):
        rows = json.loads(command("ls", "trained", "--json").out)
        assert {"kind", "name", "summary", "plugin"} == rows[0].keys()
        assert [it for it in rows if it["name"] == "piano"] == [
            {
                "kind": "trained",
                "name": "piano",
                "summary": "A nano run that hums.",
                "plugin": OWNER,
            }
        ]
        assert "piano" in command("ls").out

    def test_show_prints_the_card_the_parameters_and_the_words(self, command):
        said = command("show", "piano")
        assert said.out.startswith(
            "# Piano\n\nA nano run that hums. It is for tests.\n\nnano  8000"
        )
        assert "license: mit" not in said.out
        assert "knows 12 words, the most frequent first: " in said.out
        facts = json.loads(command("show", "trained/piano", "--json").out)
        assert facts["trained"] == ["autoencoder", "generator"]
        assert "chord" in facts["words"]
        assert facts["parameters"] > 1000

    @pytest.fixture
    def card(self, packaged):
        """Return the words of the package, which are put back as they were."""
        file = packaged / "card.md"
        text, times = file.read_text(), file.stat()
        yield file
        file.write_text(text)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    def test_show_leaves_out_what_only_some_want_to_know(self, card, command):
        card.write_text(
            "# Piano\n\nIt hums.\n\n## What it is\n\nSmall.\n\n## What it can't do\n\nSing.\n\n"
            "## How it was trained\n\nFast.\n\n## Licence\n\nMIT.\n"
        )
        said = command("show", "piano").out
        assert said.startswith(
            "# Piano\n\nIt hums.\n\n## What it can't do\n\nSing.\n\n## Licence\n\nMIT.\n\nnano  8000"
        )
        told = "there is more, on training, figures and words, with --details"
        assert said.splitlines()[-1] == told
        said = command("show", "piano", "--details").out
        assert "## What it is\n\nSmall." in said
        assert "## How it was trained\n\nFast." in said
        assert told not in said

    def test_show_tells_of_a_run_folder_too(self, command, trained):
        said = command("show", trained)
        assert said.out.startswith("nano  8000 Hz, 1 channel, ")
        (trained / "generator/weights.safetensors").unlink()
        assert "not trained: generator" in command("show", trained).out

    def test_plugins_names_it(self, command):
        (row,) = [
            it for it in json.loads(command("plugins", "--json").out) if it["name"] == "piano"
        ]
        assert row["components"] == ["trained: piano"]
        assert row["faults"] == []


class TestPython:
    def test_load_takes_the_name(self, here):
        music = mk.load("piano", quiet=True).generate("low saw", seconds=0.2)
        assert music.audio.shape == (1, 1600)
        assert nano.names() == ["shelf"]

    def test_a_revision_is_for_the_hub(self, here):
        with pytest.raises(mk.RequestError) as refused:
            mk.load("piano", revision="main")
        assert str(refused.value) == "revision: is for a model on the hub, and 'piano' is none"


class TestWeights:
    def test_a_stage_starts_from_it(self, here, packaged, capfd):
        more = ["stages.autoencoder.weights=piano", "stages.autoencoder.freeze=['*']"]
        train_run(nano.system(*more, text=nano.AUTOENCODER_ONLY))
        mine, theirs = (
            load_file(Path(folder) / "autoencoder/weights.safetensors")
            for folder in ("runs/nano", packaged)
        )
        assert all(mine[name].equal(theirs[name]) for name in theirs)
        assert "piano/autoencoder/weights.safetensors" in capfd.readouterr().err

    def test_a_typo_is_told(self, here):
        with pytest.raises(mk.RecipeError) as refused:
            train_run(nano.system("stages.autoencoder.weights=pian", text=nano.AUTOENCODER_ONLY))
        assert str(refused.value) == (
            "--set stages.autoencoder.weights=pian: stages.autoencoder.weights: pian: is no file, "
            "no folder, and no name of a model (owner/name); did you mean 'piano'?"
        )

    def test_a_stage_that_it_lacks_is_told(self, here):
        text = nano.AUTOENCODER_ONLY.replace("autoencoder:", "autoencoders:")
        with pytest.raises(mk.RecipeError) as refused:
            train_run(nano.system("stages.autoencoders.weights=piano", text=text))
        assert str(refused.value).endswith(
            "piano: has no trained stage 'autoencoders'; did you mean 'autoencoder'?"
        )

    def test_a_revision_is_for_the_hub(self, here):
        more = ["stages.autoencoder.weights=piano", "stages.autoencoder.revision=main"]
        with pytest.raises(mk.RecipeError) as refused:
            train_run(nano.system(*more, text=nano.AUTOENCODER_ONLY))
        assert str(refused.value).endswith(
            "`revision` is for a model on the hub, and this is a file or folder"
        )

    def test_a_recipe_requires_the_package(self, here):
        recipe = nano.recipe("stages.autoencoder.weights=piano")
        assert recipe.requires == ["theirs>=1.2"]
        assert nano.recipe().requires == []


class TestNames:
    def test_a_run_folder_here_comes_first_and_that_is_told(self, command, trained_once):
        shutil.copytree(trained_once, "piano")
        said = command("generate", "piano", "low", "--seconds", 0.2)
        assert said.out == "piano/audio/low-0.flac\n"
        assert said.err == (
            f"piano: the run folder here, not the trained system of that name of {OWNER}\n"
        )

    def test_another_folder_here_does_not(self, command):
        Path("piano").mkdir()
        said = command("generate", "piano", "low", "--seconds", 0.2)
        assert (said.code, said.out) == (0, "runs/piano/audio/low-0.flac\n")
        assert command("generate", "./piano", "low").err == (
            "./piano: is no run folder: it holds no recipe.yaml; `run` makes one\n"
        )

    def test_a_typo_is_told(self, command):
        assert command("generate", "pianno", "low").err == (
            "pianno: there is no such run folder and no such recipe; did you mean 'piano'?\n"
        )
        assert command("show", "pianno").err == (
            "there is no component and no recipe 'pianno'; did you mean 'piano'?\n"
        )

    def test_run_says_that_it_is_trained(self, command):
        assert command("run", "piano").err == (
            "piano: is a trained system, which `mousai-kit generate piano` plays; a recipe can "
            "start from it (`weights: piano`)\n"
        )

    def test_a_system_that_was_left_out_is_told(self, shelf, command):
        bad = trained_package.put(shelf.folder / "more", "organ")
        shelf.put(trained_package.code({"organ": bad}), package="other", name="organ")
        installed_registry.cache_clear()
        told = "other 1.2 (organ), which offers it, was left out: see `mousai-kit plugins`"
        assert command("generate", "organ", "low").err == (
            f"organ: there is no such run folder and no such recipe; {told}\n"
        )

    def test_ours_says_what_brings_it_where_its_files_lack(self, command, here, monkeypatch):
        monkeypatch.setattr(Registry, "pretrained_systems", {})
        brings = "it comes with mousai-kit, whose files lack here: pip install --force-reinstall mousai-kit\n"
        assert command("generate", "starter", "low").err == (
            f"starter: there is no such run folder and no such recipe; {brings}"
        )
        Path("own.yaml").write_text(nano.AUTOENCODER_ONLY)
        said = command("run", "own.yaml", "--set", "stages.autoencoder.weights=starter")
        assert said.err == (
            "--set stages.autoencoder.weights=starter: stages.autoencoder.weights: starter: is no "
            f"file, no folder, and no name of a model (owner/name); {brings}"
        )

    def test_without_its_package_the_error_names_it(self, shelf, command, here):
        path = "own.yaml"
        Path(path).write_text(nano.RECIPE + "requires: [mousai-kit-organ]\n")
        told = command("validate", path, "--set", "stages.autoencoder.weights=organ")
        assert told.code == 2
        assert "mousai-kit-organ is not installed: pip install mousai-kit-organ" in told.err


LEFT_OUT = [
    ({"Piano": "good"}, "'Piano': needs a name of lower-case words joined by '-' (got 'Piano')"),
    ({"none": "none"}, "'none': there is no folder '{none}'; correct the path, or put the files into the package"),
    ({"bare": "bare"}, "'bare': its folder lacks 'recipe.yaml', 'card.md' and '<stage>/weights.safetensors'; `mousai-kit publish` writes all of them"),
    ({"piano": "good"}, "'piano': the name is already taken by a system of theirs 1.2 (piano); choose another name"),
]  # fmt: skip


class TestFaults:
    @pytest.mark.parametrize(("systems", "told"), LEFT_OUT)
    def test_a_broken_one_is_a_fault_of_the_plug_in(self, shelf, trained_once, systems, told):
        folders = {
            "good": trained_package.put(shelf.folder / "more", "good", run=trained_once),
            "bare": trained_package.put(shelf.folder / "more", "bare", card=None),
            "none": shelf.folder / "none",
        }
        code = trained_package.code({name: folders[it] for name, it in systems.items()})
        shelf.put(code, package="zither", name="z")
        registry, reports = shelf.discover()
        assert reports[-1].fault == "the trained system " + told.format(**folders)
        assert list(registry.pretrained_systems) == ["piano"]

    @pytest.mark.parametrize(
        ("returned", "told"),
        [
            ("None", "mousai_kit_trained must return a mapping of names to folders (got None)"),
            ("['x']", "mousai_kit_trained must return a mapping of names to folders (got ['x'])"),
            (
                "{'x': '/x'}",
                "the trained system 'x': must be given as the pathlib.Path of its folder (got '/x')",
            ),
            ("{}", ""),
        ],
    )
    def test_what_a_hook_may_return(self, shelf, returned, told):
        shelf.put(
            f"""
            import mousai_kit.api as mk
            @mk.hookimpl
            def mousai_kit_trained(): return {returned}
            """,
            package="zither",
        )
        assert shelf.discover()[1][-1].fault == told


class TestDoctor:
    def findings(self):
        components.installed_once.cache_clear()
        return [(it.state, it.message) for it in components.check_trained_systems()]

    def test_what_is_whole_is_found(self, packaged):
        assert ("ok", "piano: found and whole") in [
            (state, told.replace("starter, ", "").replace(", starter", ""))
            for state, told in self.findings()
        ]

    def test_what_is_broken_is_wrong(self, shelf, trained_once):
        system = trained_package.put(shelf.folder / "more", "organ", run=trained_once)
        nano.cut(system / "generator/weights.safetensors")
        shelf.put(trained_package.code({"organ": system}), package="other", name="organ")
        (told,) = [told for state, told in self.findings() if state == "wrong"]
        assert told.startswith(
            f"organ of other 1.2 (organ): {system}/generator/weights.safetensors: "
        )

    def test_that_there_is_none_is_noted(self, monkeypatch):
        monkeypatch.setattr(Registry, "pretrained_systems", {})
        assert self.findings() == [("note", "no package brings a trained system")]

    def test_the_name_of_a_shipped_recipe_is_noted(self, shelf, trained_once):
        system = trained_package.put(shelf.folder / "more", "mousai", run=trained_once)
        shelf.put(trained_package.code({"mousai": system}), package="other", name="organ")
        told = "mousai of other 1.2 (organ) is a shipped recipe's name too, which comes first"
        assert ("note", told) in self.findings()
