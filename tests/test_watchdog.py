"""The watchdog: what hangs while it is loaded is ended, or at least told; what is slow goes on."""

import signal
import threading
import time

import pytest
from shelf import GOOD

MESSAGE = (
    "hung for 0.4 s while it was loaded and was given up; work and downloads belong into methods: "
    "MOUSAI_KIT_PATIENCE=60 waits longer"
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setenv("MOUSAI_KIT_PATIENCE", "0.4")


@pytest.fixture
def previous():
    """A handler of the alarm signal that somebody else has set."""

    def handler(*_):
        pass

    before = signal.signal(signal.SIGALRM, handler)
    yield handler
    signal.signal(signal.SIGALRM, before)


HANGS = {
    "asleep": ("\nimport time\ntime.sleep(20)", 3),
    "busy": ("\n\n\nwhile True: pass", 4),
    "trying again and again": (
        "import time\nwhile True:\n    try:\n        time.sleep(20)\n    except Exception: pass",
        4,
    ),
    "in a hook": (
        "import time, mousai_kit.api as mk\n@mk.hookimpl\ndef mousai_kit_unets(): time.sleep(20)",
        3,
    ),
}


@pytest.mark.parametrize("hang", HANGS)
def test_what_hangs_is_given_up_and_the_rest_loads(shelf, previous, capfd, hang):
    code, line = HANGS[hang]
    shelf.put(code, package="bad")
    shelf.put(GOOD.format(name="one"), package="good")
    began = time.monotonic()
    registry, (bad, good) = shelf.discover()
    assert time.monotonic() - began < 10
    assert (bad.fault, good.fault, bad.notes) == (MESSAGE, "", ())
    assert capfd.readouterr().err == (
        "bad 1.2 (p): has hung for 0.4 s while it is loaded; MOUSAI_KIT_WITHOUT=p does without it\n"
    )
    assert str(bad.faults[0].place) == f"{shelf.folder}/{shelf.modules[0]}.py:{line}"
    assert registry.names("schedule") == ["one"]
    assert signal.getsignal(signal.SIGALRM) is previous


def test_what_is_slow_but_goes_on_is_waited_for(shelf, previous):
    for number in range(6):
        (shelf.folder / f"slow_{number}.py").write_text("import time; time.sleep(0.15)")
    shelf.modules += [f"slow_{number}" for number in range(6)]
    imports = "".join(f"import slow_{number}\n" for number in range(6))
    shelf.put(imports + GOOD.format(name="one"))
    (report,) = shelf.discover()[1]
    assert report.fault == ""
    assert report.seconds >= 0.9
    assert signal.getsignal(signal.SIGALRM) is previous


def test_where_it_cannot_be_ended_somebody_is_told_whose_it_is(shelf, capfd):
    module = shelf.put("import time\ntime.sleep(1)\n" + GOOD.format(name="one"), name="slow")
    found = []
    thread = threading.Thread(target=lambda: found.append(shelf.discover()))
    thread.start()
    thread.join()
    ((_, (report,)),) = found
    assert (report.fault, report.name) == ("", "slow"), module
    assert capfd.readouterr().err == (
        "theirs 1.2 (slow): has hung for 0.4 s while it is loaded; MOUSAI_KIT_WITHOUT=slow does "
        "without it\n"
    )


def test_ctrl_c_ends_what_hangs(shelf, previous):
    shelf.put("import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(20)")
    with pytest.raises(KeyboardInterrupt):
        shelf.discover()
    assert signal.getsignal(signal.SIGALRM) is previous
