"""An exception in mid-command: its traceback, and a last line that says whose fault it is."""
# ruff: noqa: E501 (a line that is compared whole stands on one line)

from importlib import import_module

import pytest
from shelf import GOOD, HEAD
from torch.utils.data import DataLoader

from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.plugins.messages import attribute_error
from mousai_kit.core.registry import Registry

BROKEN = GOOD.format(name="theirs").replace(
    "    def weights", "    def __init__(self, options):\n        {}\n\n    def weights"
)
USE = "stages.generator.model.schedule.use=theirs"


@pytest.fixture(autouse=True)
def fresh():
    """Load plug-ins anew before and after."""
    installed_registry.cache_clear()
    yield
    installed_registry.cache_clear()


def test_a_plug_ins_exception_keeps_its_traceback_and_is_told_as_its_own(command, shelf):
    module = shelf.put(BROKEN.format("raise ValueError('boom')"), package="loud-gap", name="gap")
    answer = command("validate", "mousai-tiny", "--set", USE)
    lines = answer.err.splitlines()
    assert answer.code == 1
    assert "Traceback (most recent call last):" in lines
    assert lines[-2:] == [
        "ValueError: boom",
        f"loud-gap 1.2 (gap): shelf/{module}.py:9: ValueError: boom; a fault of this plug-in: tell its author, or set MOUSAI_KIT_WITHOUT=gap",
    ]


def test_what_a_plug_in_calls_wrongly_is_its_own_fault(command, shelf):
    module = shelf.put(BROKEN.format("mk.SignalSpace.frames(None, 3)"))
    assert command("validate", "mousai-tiny", "--set", USE).err.splitlines()[-1] == (
        f"theirs 1.2 (p): shelf/{module}.py:9: AttributeError: 'NoneType' object has no attribute 'stride'; a fault of this plug-in: tell its author, or set MOUSAI_KIT_WITHOUT=p"
    )


def test_what_is_raised_in_a_data_loaders_worker_is_told_alike(shelf):
    code = (
        "class Clips(list):\n    def __getitem__(self, index):\n        raise ValueError('boom')\n"
    )
    module = shelf.put(HEAD.format(name="one") + code)
    with pytest.raises(ValueError, match="boom") as raised:
        next(iter(DataLoader(import_module(module).Clips([1]), num_workers=1)))
    assert attribute_error(raised.value) == (
        f"theirs 1.2 (p): {shelf.folder / module}.py:13: ValueError: boom; a fault of this plug-in: tell its author, or set MOUSAI_KIT_WITHOUT=p"
    )


def test_an_exception_of_mousai_kit_is_to_be_reported(monkeypatch):
    from mousai_kit.core import registry

    monkeypatch.chdir(registry.__file__.rpartition("/")[0])
    with pytest.raises(AttributeError) as raised:
        Registry().replacing(None, owner="nobody")
    line = raised.traceback[-1].lineno + 1
    assert attribute_error(raised.value) == (
        f"mousai-kit 0.1.0: registry.py:{line}: AttributeError: 'NoneType' object has no attribute 'kind'; a fault of mousai-kit: please report it"
    )
