"""Two ways through a training are short: from a batch to its loss, from a step to a checkpoint."""

import sys
import threading
from pathlib import Path

import pytest
from test_trainer import Toy, made
from torch.utils.data import DataLoader

from mousai_kit.training.trainer import Trainer

OURS = "mousai_kit."
ASKED = ("state", "sync", "on_checkpoint")
"""Functions of parts that only say what they remember, that they are on the disk, or are told."""


def stack():
    """Return the names of our functions that are being called, the outermost first."""
    frame, found = sys._getframe(1), []
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(OURS):
            found.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return found[::-1]


def noting(called, notes):
    """Return a function that notes the stack that it is called with."""

    def note(*arguments, **named):
        notes.append(stack())
        return called(*arguments, **named)

    return note


def test_a_batch_passes_six_functions_from_the_loader_to_the_loss(here, monkeypatch):
    loads, losses = [], []
    loader = DataLoader.__iter__

    def drawn(self):
        found = loader(self)
        monkeypatch.setattr(type(found), "__next__", noting(type(found).__next__, loads))
        return found

    monkeypatch.setattr(DataLoader, "__iter__", drawn)
    monkeypatch.setattr(Toy, "loss", noting(Toy.loss, losses))
    made(steps=1).run()
    (load, *_), (loss,) = loads, losses
    above = [one for one, other in zip(load, loss, strict=False) if one == other]
    passed = [*reversed(load[len(above) :]), above[-1], *loss[len(above) :]]
    assert passed == [
        "iter_batches",
        "batches",
        "Trainer._loop",
        "Trainer.train_step",
        "TrainStep.gradients",
        "_Losses.forward",
    ]


@pytest.fixture
def visited(monkeypatch):
    """Modules of ours in which anything runs while a step's checkpoint is saved."""
    found, save = set(), Trainer.save

    def profile(frame, event, value):
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.startswith(OURS) and frame.f_code.co_name not in ASKED:
            found.add(name)

    def profiled(self):
        threading.setprofile(profile)
        sys.setprofile(profile)
        try:
            save(self)
            self.checkpoints.wait()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    monkeypatch.setattr(Trainer, "save", profiled)
    return found


def test_a_checkpoint_passes_five_modules_from_the_loop_to_the_disk(here, visited):
    made(steps=3).run()
    assert Path("a/c/step-00000002.safetensors").is_file()
    assert visited == {
        "mousai_kit.training.trainer",
        "mousai_kit.training.checkpointing",
        "mousai_kit.training.state",
        "mousai_kit.runs.checkpoint",
        "mousai_kit.core.files",
    }
