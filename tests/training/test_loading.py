"""Loading: the same batches from any step and with any workers; bad clips are passed over."""

import os
from collections import Counter

import pytest
import torch

from mousai_kit.errors import AudioError, Problem, TrainingError
from mousai_kit.interfaces import Clip
from mousai_kit.training.loading import batches


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
    def clip(self, index, epoch=0):
        os._exit(1)


def drawn(clips, *, seed=3, batch=3, first=0, steps=9, workers=0):
    found = batches(clips, seed=seed, batch=batch, first=first, steps=steps, workers=workers)
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


def test_a_worker_that_the_system_ended_is_one_line():
    with pytest.raises(TrainingError) as refused:
        drawn(Dying(), workers=1)
    assert str(refused.value) == (
        "a process that reads audio was ended by the system, which is mostly for want of (shared) "
        "memory; lower `workers`, 0 needs none"
    )


def test_other_errors_of_a_dataset_are_not_hidden():
    class Wrong(Numbers):
        def clip(self, index, epoch=0):
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        drawn(Wrong())
