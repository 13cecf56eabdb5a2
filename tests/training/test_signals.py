"""Interruption: the first signal waits for a good moment, the second does not."""

import signal
import threading
import time
from pathlib import Path

import nano
import pytest
from test_trainer import Numbers, contents, each, interrupted_at, made, saved

from mousai_kit.core.interfaces import Clip
from mousai_kit.runs import checkpoint
from mousai_kit.training.signals import SIGNALS, defer_signals, raise_on_signals
from mousai_kit.training.trainer import Trainer

ENDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: SystemExit, signal.SIGUSR1: SystemExit}


class Slow(Numbers):
    """Clips of which one is long in coming, and a signal comes sooner."""

    def __init__(self, *, at):
        super().__init__()
        self.at, self.given = at, 0

    def clip(self, index, epoch=0):
        self.given += 1
        if self.given > self.at:
            main = threading.main_thread().ident
            threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGTERM)).start()
            time.sleep(60)
        found = super().clip(index, epoch)
        return Clip(found.wave, found.text, found.source)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_ends_at_the_next_step_with_a_checkpoint(here, number):
    made("whole").run()
    first = made("parts")

    def tick(loss):
        if first.step == 3:
            signal.raise_signal(number)

    with pytest.raises(ENDS[number]) as ended:
        each(first, tick)
    assert number == signal.SIGINT or ended.value.code == 128 + number
    assert checkpoint.read_header(saved("parts"))["step"] == 3
    again = made("parts")
    again.restore()
    again.run()
    assert contents("parts") == contents("whole")


@pytest.mark.parametrize("at", [0, 2, 5])
def test_a_batch_that_is_long_in_coming_is_not_waited_for(here, at):
    work = made(clips=Slow(at=at))
    began = time.monotonic()
    with pytest.raises(SystemExit):
        work.run()
    assert time.monotonic() - began < 30
    steps = [checkpoint.read_header(it)["step"] for it in checkpoint.list_checkpoints(Path("a/c"))]
    assert steps[:1] == ([at // 2] if at else [])


def test_the_handlers_of_before_are_back_afterwards(here):
    before = [signal.getsignal(it) for it in SIGNALS]
    work = made()
    with pytest.raises(KeyboardInterrupt):
        each(work, interrupted_at(2, work))
    assert [signal.getsignal(it) for it in SIGNALS] == before


def test_a_second_signal_interrupts_at_once():
    with defer_signals() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked == signal.SIGINT
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert ended.value.code == 143


def test_outside_of_steps_a_signal_interrupts_at_once():
    with pytest.raises(SystemExit) as ended, raise_on_signals():
        signal.raise_signal(signal.SIGUSR1)
    assert ended.value.code == 138


def test_in_another_thread_than_the_first_nothing_is_handled():
    heard = []

    def work():
        with defer_signals() as interruption:
            for number in range(3):
                with interruption.waiting():
                    heard.append(number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [0, 1, 2]


def test_a_command_that_is_told_to_end_does_so_in_a_line_and_with_its_code(
    here, command, monkeypatch
):
    Path("nano.yaml").write_text(nano.RECIPE)
    learn = Trainer.train_step

    def told(self, batch):
        signal.raise_signal(signal.SIGTERM)
        return learn(self, batch)

    monkeypatch.setattr(Trainer, "train_step", told)
    answer = command("run", "nano.yaml")
    assert (answer.code, answer.out) == (143, "")
    assert answer.err == (
        "interrupted; runs/nano has a checkpoint of 'autoencoder' at step 1 of 4; the same command "
        "goes on from it\n"
    )
    (kept,) = checkpoint.list_checkpoints(Path("runs/nano/autoencoder/checkpoints"))
    assert checkpoint.read_header(kept)["step"] == 1
