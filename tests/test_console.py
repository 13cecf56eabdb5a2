"""The console: on standard error; a line now and then where there is no terminal."""

import pytest

from mousai_kit import console
from mousai_kit.console import Screen


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_lines_go_to_standard_error_as_they_are(capsys):
    Screen().say("[bold]x[/bold] " + "long " * 40)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "[bold]x[/bold] " + "long " * 40 + "\n")


def test_without_a_terminal_a_bar_is_a_line_every_quarter_of_a_minute(capsys, clock):
    with Screen().bar("work", 10) as bar:
        for _ in range(10):
            clock[0] += 6.0
            bar.advance(note="[x] 1")
    assert capsys.readouterr().err.split("\n") == [
        "work: 3/10, about 0:00:42 left  [x] 1",
        "work: 6/10, about 0:00:24 left  [x] 1",
        "work: 9/10, about 0:00:06 left  [x] 1",
        "",
    ]


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
