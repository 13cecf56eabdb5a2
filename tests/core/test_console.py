"""The console: on standard error; a line now and then where there is no terminal."""

import time
from pathlib import Path

import nano
import pytest

from mousai_kit.core import console
from mousai_kit.core.console import Screen


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(console, "WORD_AFTER", 2.0)
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_lines_go_to_standard_error_as_they_are(capsys):
    Screen().print("[bold]x[/bold] " + "long " * 40)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "[bold]x[/bold] " + "long " * 40 + "\n")


@pytest.fixture
def hurry(monkeypatch):
    """A thread that looks a hundred times a second, and words that come ten times as soon."""
    monkeypatch.setattr(console, "BEAT", 0.01)
    monkeypatch.setattr(console, "WORD_AFTER", 0.2)
    monkeypatch.setattr(console, "LASTS", 0.1)
    monkeypatch.setattr(console, "QUIET_EVERY", 1.5)


@pytest.fixture
def terminal(monkeypatch):
    """120 columns, no colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")


def test_without_a_terminal_a_bar_is_a_line_soon_and_then_every_quarter_of_a_minute(capsys, clock):
    with Screen().bar("work", 10) as bar:
        for _ in range(10):
            clock[0] += 6.0
            bar.advance(note="[x] 1")
    assert capsys.readouterr().err.split("\n") == [
        "work: 1/10, about 0:00:54 left  [x] 1",
        "work: 4/10, about 0:00:36 left  [x] 1",
        "work: 7/10, about 0:00:18 left  [x] 1",
        "work: 10/10, about 0:00:00 left  [x] 1",
        "",
    ]


def test_work_that_tells_nothing_of_itself_is_told_of_all_the_same(capsys, hurry):
    with Screen().bar("work", 10):
        time.sleep(0.6)
    assert capsys.readouterr().err == "work: 0/10\n"
    with Screen().busy("opening the music"):
        time.sleep(0.6)
    assert capsys.readouterr().err == "opening the music: 0:00:00 so far\n"


def test_many_short_works_in_a_row_are_told_of_as_the_whole_that_they_make(capsys, hurry):
    screen = Screen()
    with screen.busy("all of it"):
        for number in range(30):
            with screen.bar(f"work {number}", 2, stays=False) as bar:
                time.sleep(0.02)
                bar.advance()
    assert capsys.readouterr().err == "all of it: 0:00:00 so far\n"


def test_work_within_another_speaks_for_it(capsys, hurry):
    screen = Screen()
    with screen.busy("all of it"), screen.bar("a part", 2):
        time.sleep(0.6)
    assert capsys.readouterr().err.splitlines()[0] == "a part: 0/2"


def test_what_writes_to_the_terminal_itself_is_told_of_in_lines(capsys, terminal, hurry):
    with Screen().busy("fetching", drawn=False):
        time.sleep(0.5)
    assert capsys.readouterr().err == "fetching: 0:00:00 so far\n"


def test_on_a_terminal_work_that_tells_nothing_is_drawn_again(capsys, terminal, monkeypatch):
    monkeypatch.setattr(console, "BEAT", 0.01)
    monkeypatch.setattr(console, "REDRAWN_EVERY", 0.02)
    monkeypatch.setattr(console, "SELDOM", 0.02)
    with Screen().bar("work", 10):
        time.sleep(0.5)
    assert capsys.readouterr().err.count("work") >= 5


def test_on_a_terminal_what_does_not_stay_is_gone_and_what_stays_is_not(capsys, terminal):
    with Screen().busy("opening [the] music"):
        pass
    err = capsys.readouterr().err
    assert "opening [the] music" in err
    assert err.endswith("\x1b[1A\x1b[2K")
    with Screen().bar("work", 2) as bar:
        bar.to(2)
    err = capsys.readouterr().err
    assert "2/2" in err
    assert not err.endswith("\x1b[2K")


def test_a_bar_within_a_bar_is_below_it_and_goes_first(capsys, terminal):
    screen = Screen()
    with screen.bar("outer", 2) as outer:
        with screen.bar("inner", 3) as inner:
            inner.to(3)
        capsys.readouterr()
        outer.to(2)
    err = capsys.readouterr().err
    assert ("2/2" in err, "inner" in err) == (True, False)


def test_words_that_can_not_be_written_are_lost_and_nothing_else(here, monkeypatch):
    with Path("log").open("w", buffering=1) as log:
        monkeypatch.setattr("sys.stderr", log)
        with nano.full_disk(0):
            Screen().print("a line")


def test_quick_work_says_nothing(capsys):
    with Screen().bar("work", 3) as bar:
        bar.advance()
        bar.to(3)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar_with_the_time_left(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with Screen().bar("work", 4) as bar:
        bar.to(2, "[note]")
    err = capsys.readouterr().err
    assert all(part in err for part in ("work", "2/4", "left", "[note]"))


def test_what_is_being_done_is_a_line_each_or_on_a_terminal_one_that_goes(capsys, monkeypatch):
    with Screen().doing() as doing:
        doing("this [x]")
        doing("that")
    assert capsys.readouterr() == ("", "this [x]\nthat\n")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Screen().doing() as doing:
        doing("this [x]")
    out, err = capsys.readouterr()
    assert (out, "this [x]" in err, err.endswith("\x1b[2K")) == ("", True, True)
