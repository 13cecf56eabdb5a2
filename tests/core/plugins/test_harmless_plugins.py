"""What a plug-in does to others by being loaded: nothing."""

from pathlib import Path

import pytest
from shelf import GOOD

from mousai_kit.core.plugins import discover

MK = "import mousai_kit.api as mk\n"
LOOPING = MK + (
    "class Loop(mk.Sampler):\n    'A.'\n    name = 'loop'\n"
    "    def __init__(self, options, *, schedule): ...\n"
    "    def sample(self, velocity, noise, *, generator=None): ...\n"
    "    class Options(mk.Options):\n        again: mk.Use[mk.Sampler] = mk.default('loop')\n"
    "@mk.hookimpl\ndef mousai_kit_components():\n    return [Loop]\n"
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


def test_the_working_folder_stays(shelf):
    before = Path.cwd()
    shelf.put("import os\nos.chdir('/')\n" + GOOD.format(name="moved"))
    assert reports()["p"].components == ("schedule: moved",)
    assert Path.cwd() == before


def test_one_loads_where_the_working_folder_is_deleted(shelf, tmp_path, monkeypatch):
    shelf.put(GOOD.format(name="one"))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    (report,) = shelf.discover()[1]
    assert report.components == ("schedule: one",)


def test_ctrl_c_ends_the_loading_and_tells_which_plug_in_it_was(shelf, capsys):
    code = "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(20)"
    module = shelf.put(code, package="slow-one", name="slow")
    with pytest.raises(KeyboardInterrupt):
        shelf.discover()
    told = (
        f"slow-one 1.2 (slow): {shelf.folder / module}.py:2: was interrupted while it was loaded; "
        "MOUSAI_KIT_WITHOUT=slow does without it\n"
    )
    assert capsys.readouterr() == ("", told)


def test_one_is_switched_off_however_its_name_is_written(shelf, monkeypatch):
    shelf.put(GOOD.format(name="moved"), name="My_plug")
    monkeypatch.setenv("MOUSAI_KIT_WITHOUT", "my_plug")
    assert reports()["My_plug"].components == ()
