"""The table: right at 80 columns, seldom drawn, and the terminal whole when it ends."""

import re
import time

import pytest
from acting import Acted, noisy

from mousai_kit.core import console
from mousai_kit.core.console import Screen
from mousai_kit.training.callbacks import progress
from mousai_kit.training.callbacks.progress import ProgressTable

BAR = re.compile(" [\u2500-\u257f ]{10,}")


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(console, "WORD_AFTER", 2.0)
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    """80 columns, no colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "peak_bytes", lambda device: 3 * 2**29)


def drawn(text):
    """Return the lines of what was drawn last, without what steers the terminal."""
    last = re.split("\x1b\\[1A\x1b\\[2K|\r\x1b\\[2K", text)[-1]
    lines = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", last).split("\n")
    return [BAR.sub(" --- ", line.rstrip()) for line in lines if line.strip()]


def test_it_tells_all_that_is_known_within_77_of_80_columns(tmp_path, terminal, clock, capsys):
    training = Acted(tmp_path, table := ProgressTable(Screen()), steps=2400, learning_rate=2.4e-3)
    training.begin()
    training.steps_of(noisy(300, 0.9, 0.3, noise=0.01), seconds=0.16, norm=0.8304)
    training.validated(right=0.04501, other=0.081, none=0.0919)
    table.on_checkpoint(training)
    training.warn("the decoder ignores its latent: " + "very long " * 9)
    clock[0] = 72.4
    training.end()
    assert drawn(capsys.readouterr().err) == [
        "training toy --- 300/2400 0:05:36 left",
        "  loss        0.3992 (falling by 0.2)   gradient 0.83   learning rate 0.0024",
        "  speed       6.25 steps/s   25 clips/s   0:00:48 so far   at most 1.5 GiB",
        "  validation  right 0.0450, other 0.0810, none 0.0919 (step 300)",
        "  checkpoint  step 300, 0:01:12 ago",
        "  warnings    1, the last at step 300: the decoder ignores its latent: very \u2026",
    ]


def test_before_the_first_step_it_claims_nothing(tmp_path, terminal, capsys):
    training = Acted(tmp_path, ProgressTable(Screen()), steps=2400)
    training.begin()
    training.end()
    assert drawn(capsys.readouterr().err) == [
        "training toy --- 0/2400 -:--:-- left",
    ]


def test_lines_scroll_above_it(tmp_path, terminal, capsys):
    screen = Screen()
    training = Acted(tmp_path, ProgressTable(screen), steps=10)
    training.begin()
    for number in range(30):
        screen.print(f"skipped: {number}.mp3: is truncated")
    err = capsys.readouterr().err
    assert err.count("training toy") == 31
    training.end()
    assert [line for line in drawn(err) if "skipped" in line] == ["skipped: 29.mp3: is truncated"]
    assert drawn(err)[-1].startswith("training toy")


def test_it_is_drawn_seldom_however_quick_the_steps(tmp_path, terminal, clock, capsys):
    training = Acted(tmp_path, ProgressTable(Screen()), steps=10**6)
    training.begin()
    for _ in range(1000):
        clock[0] += 0.01
        training.steps_of([1.0], seconds=0.01)
    assert 15 <= capsys.readouterr().err.count("training toy") <= 22
    training.end()


def test_drawing_it_takes_at_most_a_hundredth_of_the_time(tmp_path, terminal, capsys):
    """However slow the machine: the next drawing waits for 200 times as long as one takes."""
    training = Acted(tmp_path, table := ProgressTable(Screen()), steps=10**6)
    training.begin()
    training.steps_of(noisy(300))
    table._board._next = 0.0
    before = time.monotonic()
    training.steps_of([1.0])
    took = time.monotonic() - before
    assert table._board._next - before >= min(0.5, took)
    assert table._board._next - time.monotonic() >= 0.4
    training.end()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_whatever_ends_a_training_the_terminal_is_whole(tmp_path, terminal, capfd, error):
    screen = Screen()
    training = Acted(tmp_path, ProgressTable(screen), steps=10)

    def ended_by(*_):
        raise error

    training._run = ended_by
    with pytest.raises(error):
        training.run()
    err = capfd.readouterr().err
    hidden, shown = err.rfind("\x1b[?25l"), err.rfind("\x1b[?25h")
    assert hidden < shown
    screen.print("after")
    assert capfd.readouterr().err == "after\n"


def test_the_cursor_is_shown_all_along_so_that_kill_9_leaves_it(tmp_path, terminal, capsys):
    training = Acted(tmp_path, ProgressTable(Screen()), steps=10)
    training.begin()
    training.steps_of([1.0])
    err = capsys.readouterr().err
    assert err.rfind("\x1b[?25l") < err.rfind("\x1b[?25h")
    training.end()


def test_a_bar_stands_below_it_while_it_lasts(tmp_path, terminal, capsys):
    screen = Screen()
    training = Acted(tmp_path, ProgressTable(screen), steps=10)
    training.begin()
    capsys.readouterr()
    with screen.bar("generating", 4) as bar:
        screen._board._next = 0.0
        bar.to(2)
        lines = drawn(capsys.readouterr().err)
        assert lines[0].startswith("training toy")
        assert lines[-1].startswith("generating --- 2/4")
    training.end()
    assert "generating" not in capsys.readouterr().err.split("training toy")[-1]


def test_without_a_terminal_it_is_a_line_soon_and_then_every_quarter_of_a_minute(
    tmp_path, clock, capsys
):
    training = Acted(tmp_path, ProgressTable(Screen()), steps=100)
    training.begin()
    for loss in noisy(40, 1.0, 0.5, noise=0.01):
        clock[0] += 1.0
        training.steps_of([loss], seconds=1.0)
    training.warn("[x] is wrong")
    training.end()
    assert capsys.readouterr().err.splitlines() == [
        "training toy: 2/100, about 0:01:38 left  loss 0.9922  1 steps/s",
        "training toy: 17/100, about 0:01:23 left  loss 0.8971  1 steps/s",
        "training toy: 32/100, about 0:01:08 left  loss 0.8012 (falling by 0.21)  1 steps/s",
        "toy: step 40: [x] is wrong",
    ]


def test_a_step_that_lasts_is_told_of_before_it_is_taken(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(console, "WORD_AFTER", 0.05)
    monkeypatch.setattr(console, "LASTS", 0.05)
    monkeypatch.setattr(console, "BEAT", 0.01)
    training = Acted(tmp_path, ProgressTable(Screen()), steps=100)
    training.begin()
    time.sleep(0.3)
    training.end()
    assert capsys.readouterr().err == "training toy: 0/100, the next step takes its time\n"


def test_on_a_terminal_a_step_that_lasts_is_seen_to_last(tmp_path, terminal, monkeypatch, capsys):
    monkeypatch.setattr(console, "BEAT", 0.01)
    monkeypatch.setattr(console, "REDRAWN_EVERY", 0.05)
    monkeypatch.setattr(console, "SELDOM", 0.05)
    training = Acted(tmp_path, ProgressTable(Screen()), steps=100)
    training.begin()
    time.sleep(0.5)
    assert capsys.readouterr().err.count("training toy") >= 4
    training.end()


def test_a_quiet_one_says_nothing(tmp_path, terminal, capsys):
    training = Acted(tmp_path, ProgressTable(Screen(quiet=True)), steps=100)
    training.begin()
    training.steps_of([1.0] * 40)
    training.warn("something")
    training.end()
    assert capsys.readouterr() == ("", "")
