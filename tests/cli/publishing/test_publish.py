"""`publish --to FOLDER`: a system that others can play, and nothing of its owner's disk in it."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import json
import re
from pathlib import Path

import nano
import pytest
import torch
import yaml
from safetensors.torch import load_file

import mousai_kit.api as mk
from mousai_kit.recipe import load_recipe
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run

MIT = ("--license", "MIT")


@pytest.fixture
def published(trained, command):
    """Return the folder of a publication of `runs/nano`."""
    said = command("publish", trained, "--to", "out", *MIT)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "out/autoencoder/weights.safetensors",
        "out/card.md",
        "out/generator/weights.safetensors",
        "out/recipe.yaml",
    ]
    return Path("out")


@pytest.fixture(scope="module")
def of_own_music(tmp_path_factory):
    """Return a run that learned from a folder of music, named by its place on this disk."""
    place = tmp_path_factory.mktemp("owner")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        Path("secret-music").mkdir()
        for number in range(3):
            nano.tone(f"secret-music/{number}.wav", seconds=2, hertz=200.0 * (number + 1))
        data = f"data={{use: folder, path: {place}/secret-music, index: {place}/secret-index}}"
        system = nano.system(data, "data.validation=0.4", "track=[wandb]", folder="runs/secret-run")
        system.recipe = system.recipe.model_copy(update={"track": []})
        train_run(system)
    return place


def refused(said):
    assert (said.code, said.out) == (2, "")
    return said.err


def front_matter(card):
    return yaml.safe_load(card.read_text().split("---\n")[1])


class TestWhatIsWritten:
    def test_it_plays_as_the_run_does(self, trained, published):
        theirs, ours = (
            mk.load(it, quiet=True).generate("low saw", seconds=0.2) for it in (published, trained)
        )
        assert torch.equal(theirs.audio, ours.audio)

    def test_halves_are_smaller_and_play_nearly_the_same(self, trained, command):
        command("publish", trained, "--to", "out", *MIT)
        command("publish", trained, "--to", "half", *MIT, "--half")
        whole, half = (
            sum(it.stat().st_size for it in Path(folder).glob("*/*.safetensors"))
            for folder in ("out", "half")
        )
        assert half < 0.75 * whole
        made, like = (
            mk.load(it, quiet=True).generate("low saw", seconds=0.2).audio for it in ("half", "out")
        )
        assert (made - like).abs().max() < 0.02 * like.abs().max()
        kinds = {it.dtype for it in load_file("half/generator/weights.safetensors").values()}
        assert kinds == {torch.float16, torch.float32, torch.uint8}
        assert "in half precision (float16; cast" in Path("half/card.md").read_text()

    def test_the_front_matter_is_the_hubs(self, published):
        assert front_matter(published / "card.md") == {
            "license": "mit",
            "library_name": "mousai-kit",
            "pipeline_tag": "text-to-audio",
            "tags": ["music", "text-to-music", "diffusion", "mousai-kit"],
        }

    def test_the_card_tells_what_it_is_learned_and_can_not_do(self, published):
        text = (published / "card.md").read_text()
        assert re.findall("^## (.*)$", text, re.MULTILINE) == [
            *("Use it", "What it is", "What it learned from", "How it was trained"),
            *("What was measured", "What it can't do", "Licence"),
        ]
        assert 'mousai-kit generate out "low saw chord" --seconds 10' in text
        assert "| autoencoder | 4 | " in text
        assert "- 6 clips (dataset `tones`)" in text
        assert "- It knows 12 words." in text
        assert "Nothing: there was no report of these weights" in text

    def test_figures_are_those_of_the_report(self, trained, command):
        command("evaluate", trained)
        command("publish", trained, "--to", "out", *MIT, "--half")
        kept = json.loads((trained / "report.json").read_text())
        text = Path("out/card.md").read_text()
        assert f"| {kept['loss']['generator']['train']['right']:.4f} |" in text
        assert "| autoencoder | log-mel-distance | 2 validation | " in text
        assert "They were measured before the weights were rounded to float16." in text

    def test_credits_come_along(self, trained, command):
        Path("who.txt").write_text("Someone, CC-BY-4.0\n")
        command("publish", trained, "--to", "out", *MIT, "--credits", "who.txt")
        assert Path("out/credits.md").read_text() == "Someone, CC-BY-4.0\n"
        assert "[credits.md](credits.md)" in Path("out/card.md").read_text()

    def test_an_autoencoder_alone_is_no_text_to_audio(self, trained, command):
        train_run(nano.system(text=nano.AUTOENCODER_ONLY, folder="runs/lower"))
        command("publish", "runs/lower", "--to", "out", *MIT)
        assert front_matter(Path("out/card.md"))["pipeline_tag"] == "audio-to-audio"
        assert "mousai-kit reconstruct out some-music.flac" in Path("out/card.md").read_text()

    def test_evaluate_takes_other_music_as_it_was_not_trained_here(self, published, command):
        said = command("evaluate", "out", "--set", "data.tracks=5", "--json")
        assert said.code == 0, said.err


class TestNothingOfTheOwners:
    def test_no_path_is_in_any_file(self, of_own_music, command):
        said = command("publish", of_own_music / "runs/secret-run", "--to", "out", *MIT)
        assert said.code == 0, said.err
        for file in Path("out").rglob("*.*"):
            data = file.read_bytes()
            for word in (b"secret", str(of_own_music).encode(), str(Path.home()).encode() + b"/"):
                assert word not in data, (file, word)
        assert yaml.safe_load(Path("out/recipe.yaml").read_text())["data"] == {
            "use": "folder",
            "path": "your-music",
            "validation": 0.4,
        } | {
            key: value
            for key, value in load_recipe(of_own_music / "runs/secret-run/recipe.yaml")
            .data.values()
            .items()
            if key not in ("path", "index", "validation", "use")
        } | {"index": None}

    def test_the_card_counts_the_music(self, of_own_music, command):
        command("publish", of_own_music / "runs/secret-run", "--to", "out", *MIT)
        text = Path("out/card.md").read_text()
        assert "- 3 tracks, 0.00167 hours; 1 of them were held out (dataset `folder`)" in text
        assert "- licences that their tags tell: none told (3)" in text

    def test_music_that_is_gone_is_told(self, of_own_music, command):
        music = of_own_music / "secret-music"
        music.rename(of_own_music / "away")
        try:
            said = command("publish", of_own_music / "runs/secret-run", "--to", "out", *MIT)
        finally:
            (of_own_music / "away").rename(music)
        assert said.code == 0, said.err
        assert (
            "- dataset `folder`; it was not at hand when this was written"
            in Path("out/card.md").read_text()
        )

    def test_imported_weights_tell_no_path(self, trained, command):
        weights = trained / "autoencoder/weights.safetensors"
        said = command(
            *("import", "safetensors", weights.resolve(), "--stage", "autoencoder"),
            *("--into", "runs/taken", "--recipe", "nano.yaml"),
        )
        assert said.code == 0, said.err
        train_run(nano.system(folder="runs/taken"))
        command("publish", "runs/taken", "--to", "out", *MIT)
        header = checkpoint.read_header(Path("out/autoencoder/weights.safetensors"))
        assert header["imported"].keys() == {"format", "sha256"}
        assert "autoencoder was imported" in Path("out/card.md").read_text()

    def test_what_a_stage_started_from_is_told_without_its_path(self, trained, command):
        more = [
            f"stages.autoencoder.weights={trained.resolve()}",
            "stages.autoencoder.freeze=['*']",
        ]
        train_run(nano.system(*more, text=nano.AUTOENCODER_ONLY, folder="runs/new"))
        command("publish", "runs/new", "--to", "out", *MIT)
        assert "- autoencoder started from other weights" in Path("out/card.md").read_text()
        stage = yaml.safe_load(Path("out/recipe.yaml").read_text())["stages"]["autoencoder"]
        assert (stage["weights"], stage["freeze"]) == (None, [])


class TestRefusals:
    def test_a_licence_must_be_said(self, trained, command):
        assert refused(command("publish", trained, "--to", "out")) == (
            "--license: say under which licence others may use the weights, such as cc-by-4.0 or mit; the music that they learned from may bind you\n"
        )
        assert refused(command("publish", trained, "--to", "out", "--license", "my own")) == (
            "--license: must be a licence's short name, such as cc-by-4.0 (got 'my own')\n"
        )

    def test_credits_must_be_text(self, trained, command):
        Path("a.bin").write_bytes(b"\xff\xfe\xff")
        said = command("publish", trained, "--to", "out", *MIT, "--credits", "a.bin")
        assert refused(said) == "a.bin: is no UTF-8 text; save it as such\n"
        said = command("publish", trained, "--to", "out", *MIT, "--credits", "none.txt")
        assert refused(said) == "none.txt: can't be read (No such file or directory)\n"

    def test_a_stage_that_is_not_trained(self, trained, command):
        (trained / "generator/weights.safetensors").unlink()
        assert "generator/weights.safetensors: is missing" in refused(
            command("publish", trained, "--to", "out", *MIT)
        )
        assert not Path("out").exists()

    @pytest.mark.parametrize(
        ("there", "told"),
        [
            (
                "notes.txt",
                "out: is no earlier publication, as it holds 'notes.txt'; name another folder with --to\n",
            ),
            (
                "a/b/weights.safetensors",
                "out: is no earlier publication, as it holds 'a/b/weights.safetensors'; name another folder with --to\n",
            ),
            (
                "card.md",
                "out: is no earlier publication: it has no card of one; name another folder with --to\n",
            ),
        ],
    )
    def test_what_is_no_publication_is_not_replaced(self, trained, command, there, told):
        file = Path("out", there)
        file.parent.mkdir(parents=True)
        file.write_text("mine")
        assert refused(command("publish", trained, "--to", "out", *MIT)) == told
        assert [it for it in Path("out").rglob("*") if it.is_file()] == [file]
        assert nano.names() == ["nano.yaml", "out", "runs"]

    def test_a_file_and_the_folders_that_we_need_are_none(self, trained, command):
        Path("out").write_text("mine")
        assert refused(command("publish", trained, "--to", "out", *MIT)) == (
            "out: is a file; name a folder to write to\n"
        )
        assert refused(command("publish", trained, "--to", "runs/nano", *MIT)) == (
            "runs/nano: is the run's own folder, or holds it; name another folder with --to\n"
        )
        assert refused(command("publish", trained, "--to", ".", *MIT)).startswith(".: is ")

    def test_a_model_that_lies_on_this_disk(self, trained, command):
        file = trained / "recipe.yaml"
        text = file.read_text()
        start = text.index("      text:")
        end = text.index("      unet:", start)
        file.write_text(text[:start] + "      text: {use: t5, model: /home/me/t5}\n" + text[end:])
        assert refused(command("publish", trained, "--to", "out", *MIT)).endswith(
            "stages.generator.model.text.model: lies on this disk (/home/me/t5); name a model on the hub, with its revision\n"
        )


class TestReplacing:
    def test_an_earlier_publication_is_replaced_whole(self, published, trained, command):
        (published / "more").mkdir()
        (published / "more/weights.safetensors").write_text("of a stage that is no more")
        command("publish", trained, "--to", "out", "--license", "cc0-1.0")
        assert front_matter(published / "card.md")["license"] == "cc0-1.0"
        assert nano.names("out") == ["autoencoder", "card.md", "generator", "recipe.yaml"]
        assert nano.names() == ["nano.yaml", "out", "runs"]

    def test_where_the_disk_is_full_the_earlier_one_stays(self, published, trained, command):
        before = (published / "card.md").read_text()
        with nano.full_disk(20_000):
            said = command("publish", trained, "--to", "out", "--license", "cc0-1.0")
        assert said.code == 2
        assert "can't be written (File too large)" in said.err
        assert (published / "card.md").read_text() == before
        assert nano.names() == ["nano.yaml", "out", "runs"]

    def test_what_a_killed_process_left_is_no_hindrance(self, trained, command):
        Path(".out.part").mkdir()
        Path(".out.part/x").write_text("")
        assert command("publish", trained, "--to", "out", *MIT).code == 0
        assert nano.names() == ["nano.yaml", "out", "runs"]
