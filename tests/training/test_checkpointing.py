"""Checkpointing: old checkpoints go when a new one is safe; a broken one is passed by, and kept."""

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path
from threading import Thread

import pytest
import torch
from safetensors.torch import save_file
from test_trainer import Numbers, contents, each, made, saved

from mousai_kit.core import files
from mousai_kit.core.errors import TrainingError, WeightsError
from mousai_kit.runs import checkpoint
from mousai_kit.training.checkpointing import Writer

FIRST, SECOND = "step-00000004.safetensors", "step-00000006.safetensors"


def kept(folder="a"):
    """Return the names of what lies beside the checkpoints, and of them."""
    return sorted(it.name for it in Path(folder, "c").iterdir())


# which are kept


@pytest.mark.parametrize("keep", [1, 2, 3, 9])
def test_the_last_few_are_kept(here, keep):
    made(keep_checkpoints=keep, steps=9).run()
    assert kept() == [f"step-{step:08d}.safetensors" for step in (2, 4, 6, 8, 9)[-keep:]]


def test_an_old_one_goes_only_when_the_new_one_is_on_the_disk_under_its_name_and_was_read(
    here, monkeypatch
):
    happened = []

    def noted(place, name, what):
        called = getattr(place, name)

        def note(*arguments):
            happened.append(what)
            return called(*arguments)

        monkeypatch.setattr(place, name, note)

    made(steps=4, keep_best=False).run()
    work = made(steps=6, keep_best=False)
    work.restore()
    noted(checkpoint, "_compare", "read back")
    noted(os, "fsync", "synced")
    noted(Path, "replace", "renamed")
    noted(files, "sync_folder", "folder synced")
    noted(Path, "unlink", "removed")
    work.state.step = 6
    work.checkpoints.save()
    work.checkpoints.flush()
    order = [it for n, it in enumerate(happened) if n == 0 or it != happened[n - 1]]
    assert order == [
        "synced",
        "read back",
        "synced",
        "renamed",
        "folder synced",
        "synced",
        "removed",  # the half written file's name, which is none any more, and the oldest
    ]
    assert kept() == [FIRST, SECOND]


def test_what_comes_back_from_the_disk_other_than_it_was_is_no_checkpoint(here, monkeypatch):
    made(steps=2).run()
    spoil = files.drop_page_cache

    def spoiled(file):
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
        spoil(file)

    monkeypatch.setattr(files, "drop_page_cache", spoiled)
    work = made(steps=4)
    work.restore()
    with pytest.raises(WeightsError) as refused:
        work.run()
    assert str(refused.value) == (
        f"a/c/{FIRST}: can't be written (what was read back is not what was written); "
        "free some space or write elsewhere"
    )
    assert kept() == ["step-00000002.safetensors"]


def test_what_a_killed_training_left_half_written_is_removed(here):
    made(steps=2).run()
    Path("a/c/.step-00000004.safetensors.part").write_text("half")
    Path("a/.best.safetensors.part").write_text("half")
    more = made(steps=4)
    more.restore()
    more.run()
    assert not list(Path("a").rglob(".*"))


def test_the_single_checkpoint_of_earlier_versions_is_gone_on_from_and_goes_in_time(here):
    made("whole").run()
    made("parts", steps=2).run()
    saved("parts").rename("parts/checkpoint.safetensors")
    more = made("parts")
    assert more.restore() == []
    assert more.step == 2
    more.run()
    assert contents("parts") == contents("whole")
    assert not Path("parts/checkpoint.safetensors").exists()


# what is broken


def flipped(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def told_another_step(path):
    data = path.read_bytes()
    assert data.count(b'"step":"6"') == 1
    path.write_bytes(data.replace(b'"step":"6"', b'"step":"5"'))


def of_another_model(path):
    tensors, header = checkpoint.read_checkpoint(path)
    del tensors["live/frozen"], header["digest"], header["format"], header["version"]
    checkpoint.write_checkpoint(path, tensors, header)


def foreign(path):
    save_file({"a": torch.ones(2)}, path)


DAMAGE = {
    "cut short": (lambda it: os.truncate(it, it.stat().st_size // 2), "is broken or cut short ("),
    "empty": (lambda it: it.write_bytes(b""), "is broken or cut short ("),
    "zeroed": (lambda it: it.write_bytes(bytes(it.stat().st_size)), "is broken or cut short ("),
    "a bit": (flipped, "is broken: its numbers are not those that were written"),
    "the header": (told_another_step, "has a broken header"),
    "another model": (of_another_model, "fits another model: lacks 'frozen'"),
    "another program": (foreign, "holds no weights of mousai-kit's"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_newest_checkpoint_is_set_aside_and_the_one_before_used(here, damage):
    spoil, why = DAMAGE[damage]
    made("whole", steps=9, held_out=Numbers(2)).run()
    made("parts", steps=6, held_out=Numbers(2)).run()
    spoil(saved("parts"))
    broken = saved("parts").read_bytes()
    again = made("parts", steps=9, held_out=Numbers(2))
    (line,) = again.restore()
    assert line.startswith(f"parts/c/{SECOND}: {why}")
    assert line.endswith(f"; it is kept as {SECOND}.broken, and the one before is used")
    assert "\n" not in line
    assert again.step == 4
    again.run()
    assert contents("parts") == contents("whole")
    assert Path(f"parts/c/{SECOND}.broken").read_bytes() == broken


def test_where_no_checkpoint_is_good_all_is_left_and_the_way_to_begin_anew_is_told(here):
    made().run()
    for name in (FIRST, SECOND):
        flipped(Path("a/c", name))
    before = {name: Path("a/c", name).read_bytes() for name in kept()}
    for _ in range(2):
        with pytest.raises(WeightsError) as refused:
            made(steps=9).restore()
        why = "is broken: its numbers are not those that were written"
        assert str(refused.value).split("\n") == [
            f"a/c/{SECOND}: {why}",
            f"a/c/{FIRST}: {why}",
            "a/c: no checkpoint can be used; move a away and `run` again to begin anew",
        ]
    assert {name: Path("a/c", name).read_bytes() for name in kept()} == before


def test_what_does_not_fit_changes_nothing(here):
    made().run()
    for name in (FIRST, SECOND):
        of_another_model(Path("a/c", name))
    work = made(steps=9)
    before = {name: it.clone() for name, it in work.stage.state_dict().items()}
    with pytest.raises(WeightsError):
        work.restore()
    assert all(it.equal(before[name]) for name, it in work.stage.state_dict().items())
    assert work.step == 0


# writing beside each other


def test_a_checkpoint_may_wait_for_the_best_weights_while_their_writing_begins(monkeypatch):
    writer, done, start = Writer(), [], Thread.start

    def slow(thread):
        writer.wait()  # as the thread that writes a checkpoint may, at any time
        start(thread)

    monkeypatch.setattr(Thread, "start", slow)
    for number in range(2):
        writer.begin(lambda number=number: done.append(number))
    writer.wait()
    assert done == [0, 1]


# a full disk


def refused(_, *rest):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


FULL = "can't be written (No space left on device)"
NONE_YET = "training goes on, and there is no checkpoint yet"


class Told:
    """Hears warnings."""

    def __new__(cls, work):
        heard = []
        warn = work.warn
        work.warn = lambda line: (heard.append(line), warn(line))
        return heard


def waiting(work, do):
    """Return a tick that waits for the disk, then does something."""

    def tick(loss):
        work.checkpoints.wait()
        do()

    return tick


def test_a_checkpoint_that_can_not_be_written_is_a_warning_and_training_goes_on(here):
    made("whole").run()
    work = made("parts")
    heard = Told(work)
    write = checkpoint.write_tensors

    def tick(loss):
        work.checkpoints.wait()
        checkpoint.write_tensors = refused if work.step in (1, 2) else write

    try:
        each(work, tick)
    finally:
        checkpoint.write_tensors = write
    assert heard == [
        f"parts/c/step-00000002.safetensors: {FULL}; free some space or write elsewhere; {NONE_YET}"
    ]
    told = contents("parts")
    told["log"] = [line for line in told["log"] if "warning" not in line]
    assert told == contents("whole")


def test_checkpoints_that_fail_again_and_again_end_a_training(here, monkeypatch):
    made(steps=2).run()
    work = made(steps=30)
    work.restore()
    monkeypatch.setattr(checkpoint, "write_tensors", refused)
    with pytest.raises(TrainingError) as stopped:
        each(work, waiting(work, lambda: None))
    assert str(stopped.value) == (
        "a/c/step-00000012.safetensors: can't be written (No space left on device); free some "
        "space or write elsewhere; that was so 5 times in a row"
    )
    assert kept() == ["step-00000002.safetensors"]


def test_a_log_that_finds_no_room_waits_and_no_checkpoint_is_written_before_it(here):
    made("whole").run()
    work = made("parts")
    heard = Told(work)
    log, write = work.checkpoints.log, work.checkpoints.log._write

    def tick(loss):
        work.checkpoints.wait()
        log._write = (lambda: refused(0)) if 1 <= work.step < 3 else write

    each(work, tick)
    told = contents("parts")
    warned = [line.pop("warning") for line in told["log"] if "warning" in line]
    later = "training goes on, and the log is written when there is room"
    unwritten = "can't be written (there was no room for all of it), and without it no checkpoint"
    expected = [f"parts/log.jsonl: {FULL}; {later}", f"parts/log.jsonl: {unwritten}; {NONE_YET}"]
    assert warned == heard == expected
    told["log"] = [line for line in told["log"] if len(line) > 1]
    assert told == contents("whole")


def test_a_disk_that_will_not_hold_the_checkpoints_is_told_before_the_first_step(here, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 900))
    with pytest.raises(TrainingError) as told:
        made(keep_checkpoints=3).run()
    assert str(told.value) == (
        "a: 4 checkpoints of 3.2e-07 GiB, and the weights, need 1.5e-06 GiB more on the disk and "
        "8.4e-07 GiB are free; free some, lower `keep_checkpoints`, or name "
        "another folder for the run"
    )
    assert not Path("a/log.jsonl").exists()


def test_latents_that_are_there_are_no_room_for_checkpoints(here, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 900))
    Path("a/latents-train").mkdir(parents=True)
    Path("a/latents-train/00000.safetensors").write_bytes(bytes(10**6))
    with pytest.raises(TrainingError, match=r"need 1\.5e-06 GiB more on the disk"):
        made(keep_checkpoints=3).run()


# the best


def best_of(log):
    """Return the step with the least loss."""
    seen = {line["step"]: line["validation"]["right"] for line in log if "validation" in line}
    return min(seen, key=seen.__getitem__)


@pytest.mark.parametrize("finish", ["last", "best"])
def test_the_weights_that_did_best_are_kept_and_may_be_the_finished_ones(here, finish):
    work = made(
        steps=12, validate_every=1, learning_rate=0.5, held_out=Numbers(3), final_weights=finish
    )
    work.run()
    tensors, header = checkpoint.read_checkpoint(Path("a/best.safetensors"))
    step = best_of(contents("a")["log"])
    assert step not in (1, 12)
    assert (header["step"], header["a"]) == (step, [1])
    other = made("b", steps=step, learning_rate=0.5, held_out=Numbers(3))
    other.run()
    then = checkpoint.read_checkpoint(Path("b/w.safetensors"))[0]
    assert all(then[name].equal(it) for name, it in tensors.items())
    chosen, told = checkpoint.read_checkpoint(Path("a/w.safetensors"))
    assert chosen["net.0.weight"].equal(tensors["net.0.weight"]) == (finish == "best")
    assert told.get("best", {}).get("step", 12) == (step if finish == "best" else 12)
    assert told["step"] == 12
    assert work.stage.net[0].weight.equal(chosen["net.0.weight"])


def test_where_there_is_no_best_the_last_weights_are_the_finished_ones(here):
    work = made(final_weights="best")
    heard = Told(work)
    work.run()
    assert heard == ["a/best.safetensors: the best weights are not there; the last are used"]
    made("b").run()
    one, other = (checkpoint.read_header(Path(it) / "w.safetensors") for it in "ab")
    assert one["digest"] == other["digest"]
    assert "finish" not in one
