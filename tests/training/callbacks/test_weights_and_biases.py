"""Weights & Biases, kept on this machine: its files lie in the run's folder, a run goes on."""

import nano
import pytest
from acting import Acted

pytest.importorskip("wandb", reason="wandb is not among what the tests need")

from mousai_kit.training.callbacks.wandb import WandbLogger


@pytest.mark.filterwarnings("ignore")
def test_a_training_is_kept_in_the_run_folder_and_goes_on_under_its_name(here, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    recipe = nano.recipe()
    first = WandbLogger(here, recipe, "autoencoder")
    training = Acted(here, first)
    training.begin()
    training.steps_of([1.0, 0.5])
    training.validated(right=0.5)
    training.warn("careful")
    training.steps_of([0.25])
    summary = dict(first.tracker.run.summary)
    assert {key: summary[key] for key in ("loss", "validation/right", "warning")} == {
        "loss": 0.5,
        "validation/right": 0.5,
        "warning": "careful",
    }
    assert first.tracker.run.config["name"] == "nano"
    training.end()
    second = WandbLogger(here, recipe, "autoencoder")
    second.load(first.state())
    assert second.id == first.id
    (kept,) = [it for it in nano.names(here / "wandb") if it.startswith("offline-run-")]
    assert kept.endswith(first.id)
