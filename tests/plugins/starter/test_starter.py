"""The weights that come along: offered where they are, whole, small, licensed and playable."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import trained_package
import yaml

import mousai_kit.api as mk
import mousai_kit_starter
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.model_card import card_in
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.vocabulary import encoder_in
from mousai_kit.training.finetuning import check_weights_fit, find_initial_weights

HERE = Path(mousai_kit_starter.__file__).parent
FOLDER = HERE / "starter"
MOST = 60e6
"""Bytes that the weights may take in the wheel."""


def offered(folder):
    """Return what the plug-in offers where its files are a folder's."""
    copy = folder / "__init__.py"
    copy.write_text((HERE / "__init__.py").read_text())
    spec = spec_from_file_location("a_copy_of_starter", copy)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.mousai_kit_trained()


def test_it_offers_nothing_without_weights(here):
    assert offered(here) == {}
    trained_package.put(here, "starter")  # a card alone
    assert offered(here) == {}


def test_it_offers_the_weights_that_are_there(here, trained_once):
    system = trained_package.put(here, "starter", run=trained_once)
    assert offered(here) == {"starter": system}


def test_it_loads_without_a_fault():
    assert not any("starter" in owner for owner in installed_registry().unavailable)


def test_the_licence_of_the_weights_comes_along():
    text = (HERE / "licences/CC-BY-SA-4.0.txt").read_text(encoding="utf-8")
    assert text.startswith("Attribution-ShareAlike 4.0 International")


@pytest.fixture(scope="module")
def system():
    return mk.load("starter", quiet=True)


@pytest.mark.skipif(not any(FOLDER.glob("*/weights.safetensors")), reason="weights come later")
class TestTheWeights:
    def test_the_core_knows_them(self):
        assert installed_registry().pretrained_systems["starter"].folder == FOLDER

    def test_they_are_whole_and_small(self):
        files = sorted(FOLDER.glob("*/weights.safetensors"))
        for file in files:
            checkpoint.read_checkpoint(file)
        assert sum(it.stat().st_size for it in files) < MOST

    def test_card_and_credits_say_whose_music_it_learned_from(self):
        card = card_in(FOLDER).read_text(encoding="utf-8")
        assert yaml.safe_load(card.split("---\n")[1])["license"] == "cc-by-sa-4.0"
        assert "credits.md" in card
        assert (FOLDER / "credits.md").stat().st_size > 1000

    def test_no_path_of_a_disk_is_in_them(self):
        for file in FOLDER.rglob("*.*"):
            head = file.read_bytes()[:2_000_000]
            for word in (b"/home/", b"/root/", b"/work/", b"/tmp/", b"/Users/"):
                assert word not in head, (file, word)

    def test_they_play_from_any_folder(self, here):
        said = [sys.executable, "-m", "mousai_kit", "generate", "starter", "Techno"]
        done = subprocess.run(
            [*said, "--seconds", "1"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "runs/starter/audio/techno-0.flac\n"

    def test_they_make_what_is_no_silence_and_no_noise_at_full_scale(self, system, tmp_path):
        music = system.generate("Techno", seconds=2)
        assert music.audio.isfinite().all()
        music.save(tmp_path / "techno.flac")
        saved = mk.read(tmp_path / "techno.flac", sample_rate=48000, channels=2)
        assert 0.1 < saved.abs().max() <= 1
        assert 0.01 < saved.square().mean().sqrt() < 0.4

    def test_they_know_words(self, system):
        assert len(encoder_in(system.stages["generator"]).known_words()) > 50


@pytest.mark.parametrize("name", ["mousai", "mousai-tune"])
def test_the_shipped_recipes_take_its_weights(here, name):
    recipe = load_recipe(
        name, ["data.path=."] if name == "mousai-tune" else [], registry=installed_registry()
    )
    cascade = Cascade.build(recipe, device="meta")
    begun = find_initial_weights(recipe, RunFolder(here / "run"), lambda _: False, print)
    assert set(begun) == {"autoencoder", "generator"}
    assert all(begun.values())
    check_weights_fit(recipe, cascade, begun)
