"""What a plug-in does to others by being loaded: nothing."""

from pathlib import Path

import pytest
import torch
from shelf import GOOD

from mousai_kit.plugins import discover

MK = "import mousai_kit.api as mk\n"
LOOPING = MK + (
    "class Loop(mk.Sampler):\n    'A.'\n    name = 'loop'\n"
    "    def __init__(self, options, *, schedule): ...\n"
    "    def sample(self, velocity, noise, *, generator=None): ...\n"
    "    class Options(mk.Options):\n        again: mk.Use[mk.Sampler] = mk.chosen('loop')\n"
    "@mk.hookimpl\ndef mousai_kit_samplers():\n    return [Loop]\n"
)


def reports():
    registry, found = discover()
    assert registry.find("sampler", "ddim")
    return {it.name: it for it in found}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ImportError(name=5)", "ImportError"),
        (
            MK + "class Odd(mk.MousaiError):\n    def __init__(self): ...\nraise Odd()",
            "Odd",
        ),
        ("class Odd(Exception):\n    __str__ = None\nraise Odd()", "Odd"),
    ],
)
def test_an_exception_that_can_not_be_told_is_told_of(shelf, code, told):
    shelf.put(code)
    assert told in reports()["p"].fault


def test_slots_that_hold_each_other_for_ever_are_noted(shelf):
    shelf.put(LOOPING)
    (note,) = [str(it) for it in reports()["p"].notes]
    assert note.endswith("Loop: its Options can't be made of their defaults (RecursionError)")


def test_the_working_folder_and_torchs_settings_stay(shelf):
    before = Path.cwd(), torch.get_default_dtype(), torch.get_num_threads()
    shelf.put(
        "import os, torch\nos.chdir('/')\ntorch.set_grad_enabled(False)\n"
        "torch.set_default_dtype(torch.float64)\ntorch.set_num_threads(3)\n"
        "torch.set_default_device('meta')\n" + GOOD.format(name="moved")
    )
    assert reports()["p"].components == ("schedule: moved",)
    assert (Path.cwd(), torch.get_default_dtype(), torch.get_num_threads()) == before
    assert torch.is_grad_enabled()
    assert torch.zeros(1).device.type == "cpu"


def test_one_is_switched_off_however_its_name_is_written(shelf, monkeypatch):
    shelf.put(GOOD.format(name="moved"), name="My_plug")
    monkeypatch.setenv("MOUSAI_KIT_WITHOUT", "my_plug")
    assert reports()["My_plug"].components == ()
