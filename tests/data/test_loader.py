"""Loading: the same batches from any step and with any workers; bad clips are passed over."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError, Problem, TrainingError
from mousai_kit.core.interfaces import Clip
from mousai_kit.data.loader import batches


class Numbers:
    """Clips that hold their index and epoch; some can't be read."""

    def __init__(self, count=7, bad=(), bad_in_epoch=None):
        self.count, self.bad, self.bad_in_epoch = count, bad, bad_in_epoch

    def __len__(self):
        return self.count

    def clip(self, index, epoch=0):
        if index in self.bad and self.bad_in_epoch in (None, epoch):
            raise AudioError(Problem(f"{index}.wav", "", "is empty"))
        return Clip(torch.tensor([[index, epoch]]), f"text {index}", f"{index}.wav")


class Dying(Numbers):
    """Clips of which some end the process that reads them, the first so many times."""

    def __init__(self, at, *, times, folder):
        super().__init__()
        self.at, self.times, self.folder = at, times, Path(folder)

    def clip(self, index, epoch=0):
        died = len(list(self.folder.glob("died-*")))
        if index in self.at and died < self.times:
            (self.folder / f"died-{died}").touch()
            self.end()
        return super().clip(index, epoch)

    def end(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Hanging(Dying):
    def end(self):
        time.sleep(600)


def drawn(clips, *, seed=3, batch=3, first=0, steps=9, workers=0, **more):
    found = batches(
        clips, seed=seed, batch=batch, first=first, steps=steps, workers=workers, **more
    )
    return [(it.signal.tolist(), it.texts, it.sources, it.bad) for it in found]


def test_every_clip_comes_once_an_epoch_each_epoch_in_another_order():
    clips = [clip for signal, *_ in drawn(Numbers(6)) for ((*clip,),) in signal]
    epochs = [clips[i : i + 6] for i in range(0, 24, 6)]
    assert [sorted(it) for it in epochs] == [[[i, e] for i in range(6)] for e in range(4)]
    assert len({tuple(index for index, _ in it) for it in epochs}) == 4


@pytest.mark.parametrize("first", range(9))
def test_the_batches_are_the_same_whichever_step_is_the_first(first):
    assert drawn(Numbers(), first=first) == drawn(Numbers())[first:]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_batches_are_the_same_with_workers(workers):
    clips = Numbers(bad=[2])
    assert drawn(clips, workers=workers) == drawn(clips)


def test_another_seed_is_another_order():
    assert drawn(Numbers(), seed=4) != drawn(Numbers())


def test_a_batch_may_be_larger_than_the_data():
    (first,) = drawn(Numbers(2), batch=5, steps=1)
    assert sorted(Counter(first[2]).values()) == [2, 3]


def test_a_bad_clip_is_passed_over_and_named_with_the_reason():
    found = drawn(Numbers(bad=[2, 5]), batch=7, steps=1)
    ((_, _, sources, bad),) = found
    assert len(sources) == 7
    assert set(sources) == {f"{i}.wav" for i in (0, 1, 3, 4, 6)}
    assert set(bad) == {"2.wav: is empty", "5.wav: is empty"}


def test_a_clip_that_is_bad_in_one_epoch_comes_in_the_others():
    found = drawn(Numbers(3, bad=[1], bad_in_epoch=1), batch=3, steps=3)
    assert [sorted(set(sources)) for _, _, sources, _ in found] == [
        ["0.wav", "1.wav", "2.wav"],
        ["0.wav", "2.wav"],
        ["0.wav", "1.wav", "2.wav"],
    ]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("count", "tried"), [(3, 3), (50, 10)])
def test_where_all_are_bad_there_is_one_error(workers, count, tried):
    with pytest.raises(TrainingError) as refused:
        drawn(Numbers(count, bad=range(count)), workers=workers)
    said = str(refused.value)
    last = said.rpartition("the last: ")[2]
    assert said == f"no readable music in {tried} clips in a row; the last: {last}"
    assert last.removesuffix(".wav: is empty").isdigit()


ENDED = (
    "a process that reads audio was ended by the system, which is mostly for want of (shared) "
    "memory; lower `workers`, 0 needs none"
)
SILENT = (
    "the processes that read audio brought nothing for as long as `patience` says; see whether "
    "the music's disk answers"
)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_the_system_ended_is_replaced_and_the_batches_are_the_same(here, workers):
    warnings = []
    clips = Dying([2, 5], times=2, folder=here)
    assert drawn(clips, workers=workers, warn=warnings.append) == drawn(Numbers())
    assert warnings
    assert set(warnings) == {f"{ENDED}; all are started again"}


def test_workers_that_bring_nothing_are_replaced_and_the_batches_are_the_same(here):
    warnings = []
    clips = Hanging([4], times=1, folder=here)
    assert drawn(clips, workers=1, patience=5, warn=warnings.append) == drawn(Numbers())
    assert warnings == [f"{SILENT}; all are started again"]


def test_workers_that_end_again_and_again_are_one_line(here):
    with pytest.raises(TrainingError) as refused:
        drawn(Dying(range(7), times=99, folder=here), workers=1)
    assert str(refused.value) == ENDED
    assert len(list(here.glob("died-*"))) == 4


def test_a_worker_that_ends_during_a_step_is_told_with_the_next_batch_and_not_in_the_step(here):
    drawn(Numbers(), workers=1)  # torch sets its own handler once in a process
    before = signal.getsignal(signal.SIGCHLD)
    found = batches(Numbers(), seed=3, batch=3, first=0, steps=50, workers=1)
    next(found)
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    time.sleep(0.2)  # a step: nothing is raised here
    assert len(list(found)) == 49
    assert signal.getsignal(signal.SIGCHLD) is before


@pytest.mark.parametrize("workers", [0, 1])
def test_other_errors_of_a_dataset_are_not_hidden(workers):
    class Wrong(Numbers):
        def clip(self, index, epoch=0):
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        drawn(Wrong(), workers=workers)


class Talking(Numbers):
    def clip(self, index, epoch=0):
        print(f"clip {index} is odd", file=sys.stderr)
        return super().clip(index, epoch)


def test_a_worker_writes_past_a_screen_that_was_locked_when_it_was_forked_off(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen, held, over = Screen(), threading.Event(), threading.Event()

    def hold():
        with screen._console._lock:
            held.set()
            over.wait()

    with screen.bar("work", 2):
        drawing = threading.Thread(target=hold)
        drawing.start()
        held.wait()
        try:
            assert len(drawn(Talking(), steps=1, workers=1, patience=20)) == 1
        finally:
            over.set()
            drawing.join()
    assert "is odd" in capfd.readouterr().err
