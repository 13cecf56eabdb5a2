"""A system on the Hugging Face hub, played by a server on this machine: published, and played."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import shutil
from pathlib import Path

import fake_hub
import nano
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit import audio
from mousai_kit.training.run import train_run

MODEL = "someone/piano"
COMMIT = fake_hub.COMMIT
MIT = ("--license", "mit")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw nothing: what pictures show is tested with `audio`."""
    monkeypatch.setattr(audio, "plot_mels", lambda path, *_, **__: path.touch())


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", fake_hub.TOKEN)


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """Let nobody be logged in."""
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    return folder


@pytest.fixture
def published(trained, repository, endpoint, command):
    """Return the hub's handler, which has a publication of `runs/nano`; it is served no more."""
    said = command("publish", trained, "--to", str(repository / "new"), *MIT, "--half")
    assert said.code == 0, said.err
    for it in (repository / "new").iterdir():
        shutil.move(it, repository / it.name)
    (repository / "new").rmdir()
    (repository / "card.md").rename(repository / "README.md")
    return fake_hub.of(MODEL, repository)


class TestPublishing:
    def test_a_new_model_is_created_and_played_from_there(
        self, trained, repository, endpoint, command, token
    ):
        handler = fake_hub.of(MODEL, repository, there=False)
        with fake_hub.served(handler) as url:
            endpoint(url)
            said = command("publish", trained, "--to", MODEL, *MIT)
            assert (said.code, said.out) == (0, f"{url}/{MODEL}\n"), said.err
            assert said.err == f"{MODEL}: uploading to {url}/{MODEL} as someone\n"
            assert nano.names(repository) == [
                ".gitattributes",
                *("README.md", "autoencoder", "generator", "recipe.yaml"),
            ]
            card = (repository / "README.md").read_text()
            assert f'mousai-kit generate {MODEL} "low saw chord"' in card
            played = mk.load(MODEL, quiet=True).generate("low saw", seconds=0.2).audio
        assert torch.equal(
            played, mk.load(trained, quiet=True).generate("low saw", seconds=0.2).audio
        )

    def test_an_earlier_publication_is_replaced(
        self, trained, published, repository, endpoint, command, token
    ):
        (repository / "credits.md").write_text("earlier")
        (repository / "upper").mkdir()
        (repository / "upper/weights.safetensors").write_text("of a stage that is no more")
        with fake_hub.served(published) as url:
            endpoint(url)
            assert command("publish", trained, "--to", MODEL, "--license", "cc0-1.0").code == 0
        assert "license: cc0-1.0" in (repository / "README.md").read_text()
        assert not (repository / "credits.md").exists()
        assert not (repository / "upper/weights.safetensors").exists()

    def refused(self, command, trained, handler, endpoint):
        with fake_hub.served(handler) as url:
            endpoint(url)
            said = command("publish", trained, "--to", MODEL, *MIT)
        assert (said.code, said.out) == (2, "")
        assert not any("commit" in it for it in handler.asked)
        return said.err.replace(url, "URL")

    def test_something_else_under_that_name_stays(
        self, trained, repository, endpoint, command, token
    ):
        (repository / "config.json").write_text("{}")
        assert self.refused(command, trained, fake_hub.of(MODEL, repository), endpoint) == (
            "someone/piano: is on the hub already and is no publication, as it holds 'config.json'; name another with --to\n"
        )

    def test_nobody_is_logged_in(self, trained, repository, endpoint, command, nobody):
        assert self.refused(command, trained, fake_hub.of(MODEL, repository), endpoint) == (
            "someone/piano: can't be published: nobody is logged in; run `hf auth login`, or set HF_TOKEN\n"
        )

    def test_a_token_that_the_hub_does_not_know(
        self, trained, repository, endpoint, command, monkeypatch
    ):
        monkeypatch.setenv("HF_TOKEN", "hf_old")
        assert self.refused(command, trained, fake_hub.of(MODEL, repository), endpoint) == (
            "someone/piano: can't be published: the hub does not know the token; run `hf auth login`, or set HF_TOKEN\n"
        )

    def test_a_token_that_may_not_write(self, trained, repository, endpoint, command, token):
        handler = fake_hub.of(MODEL, repository, writable=False)
        *_, line = self.refused(command, trained, handler, endpoint).splitlines(keepends=True)
        assert line == (
            "someone/piano: can't be published: the token may not write there; take one that may: URL/settings/tokens\n"
        )

    def test_no_network(self, trained, endpoint, command, token):
        endpoint("http://127.0.0.1:9")
        said = command("publish", trained, "--to", MODEL, *MIT)
        assert said.err == (
            "someone/piano: can't be published: http://127.0.0.1:9 can't be reached\n"
        )

    def test_a_folder_of_that_name_is_a_folder(self, trained, command):
        Path("someone").mkdir()
        assert command("publish", trained, "--to", MODEL, *MIT).code == 0
        assert (Path(MODEL) / "card.md").is_file()


class TestPlaying:
    def test_the_commit_is_told_and_needs_no_network_once_it_is_here(
        self, published, endpoint, command
    ):
        with fake_hub.served(published) as url:
            endpoint(url)
            said = command("generate", MODEL, "low", "--seconds", 0.2)
            assert (said.code, said.out) == (0, "runs/piano/audio/low-0.flac\n")
            assert said.err.splitlines()[-1] == f"{MODEL}: revision {COMMIT}"
        again = command("generate", MODEL, "low", "--seconds", 0.2, "--revision", COMMIT)
        assert (again.code, again.out) == (0, "runs/piano/audio/low-0.flac\n")
        assert command("generate", MODEL, "low").err == (
            f"{MODEL}: there is no such run folder here, and from the Hugging Face hub it can't be "
            f"fetched: {url} can't be reached\n"
        )
        nano.tone("a.wav")
        through = command("reconstruct", MODEL, "a.wav", "--revision", COMMIT)
        assert through.out == "runs/piano/audio/a-reconstructed.flac\n"
        assert not list(Path("runs").glob("*/recipe.yaml")) or nano.names("runs") == [
            "nano",
            "piano",
        ]

    def test_a_fetch_that_was_interrupted_is_completed(
        self, published, repository, endpoint, tmp_path
    ):
        with fake_hub.served(published) as url:
            endpoint(url)
            mk.load(MODEL, revision=COMMIT, quiet=True)
            (lost,) = (tmp_path / "cache").glob("**/snapshots/*/generator/weights.safetensors")
            lost.unlink()
            mk.load(MODEL, revision=COMMIT, quiet=True)

    def test_weights_of_a_recipe_may_name_it(self, published, endpoint, here):
        more = [f"stages.autoencoder.weights={MODEL}", f"stages.autoencoder.revision={COMMIT}"]
        with fake_hub.served(published) as url:
            endpoint(url)
            train_run(
                nano.system(*more, "stages.autoencoder.freeze=['*']", text=nano.AUTOENCODER_ONLY)
            )
        assert not any("generator" in it for it in published.asked)

    def test_what_is_no_system_is_told(self, repository, endpoint, command):
        (repository / "pytorch_model.bin").write_bytes(b"weights")
        with fake_hub.served(fake_hub.of(MODEL, repository)) as url:
            endpoint(url)
            said = command("generate", MODEL, "low")
        assert said.err == (
            "someone/piano: is no trained system, as it has no <stage>/weights.safetensors; weights alone are for `weights` of a recipe's stage, or for `mousai-kit import`\n"
        )

    def test_a_recipe_from_there_leads_to_no_file_here(
        self, published, repository, endpoint, command
    ):
        text = (repository / "recipe.yaml").read_text()
        (repository / "recipe.yaml").write_text("extends: ../../secret.yaml\n" + text)
        with fake_hub.served(published) as url:
            endpoint(url)
            said = command("generate", MODEL, "low")
        assert said.err.splitlines(keepends=True)[-1] == (
            "someone/piano/recipe.yaml: extends another recipe, which is not followed from the hub; publish it whole\n"
        )

    def test_a_model_that_the_hub_does_not_have(self, repository, endpoint, command):
        with fake_hub.served(fake_hub.of(MODEL, repository, there=False)) as url:
            endpoint(url)
            said = command("generate", MODEL, "low")
        assert said.err == (
            "someone/piano: there is no such run folder here, and from the Hugging Face hub it "
            "can't be fetched: the hub has no such model\n"
        )

    def test_a_folder_that_is_not_there_is_no_model(self, here, command):
        assert command("generate", "runs/pianno", "low").err == (
            "runs/pianno: there is no such run folder and no such recipe; `mousai-kit run RECIPE` makes a run folder\n"
        )
        assert command("generate", "runs/x", "low", "--seed", 1, "--out", "o").code == 2

    def test_a_revision_is_for_the_hub(self, trained, command):
        assert command("generate", trained, "low", "--revision", "main").err == (
            "--revision: is for a model on the hub, and 'runs/nano' is none\n"
        )
