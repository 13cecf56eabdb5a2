"""Survival: encoding that is killed at any instant goes on to the very same files."""

import multiprocessing
import os
import random
import shutil
import time

import nano
import pytest
from doubling import FOLDER, SHARDS, Numbers, encoding, files, kept

from mousai_kit.core.errors import RequestError, TrainingError, WeightsError
from mousai_kit.core.files import write_bytes
from mousai_kit.data import latent_shards
from mousai_kit.data.latent_cache import check_room_for
from mousai_kit.models import memory

KILLS = 20


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, here):
    """Let a shard hold eight crops."""
    monkeypatch.setattr(latent_shards, "SHARD_CROPS", 8)


class Dying(Numbers):
    def clip(self, index, epoch=0):
        if index == 13:
            os._exit(1)
        return super().clip(index, epoch)


def test_killed_at_random_instants_it_goes_on_to_the_same_bytes():
    clips = Numbers(40, bad=[(3, 0), (20, 1)])
    started = time.monotonic()
    kept(clips, folder="whole")
    lasts = time.monotonic() - started
    random.seed(5)
    whole, ended_early, shards = files("whole"), 0, 0
    for _ in range(KILLS):
        process = multiprocessing.get_context("fork").Process(target=kept, args=(clips,))
        process.start()
        time.sleep(random.uniform(0, lasts))
        process.kill()
        process.join()
        ended_early += process.exitcode != 0
        there = {} if not FOLDER.exists() else files()
        complete = {name: data for name, data in there.items() if not name.startswith(".")}
        assert complete.items() <= whole.items()
        if len(complete) == len(whole) or random.random() < 0.2:
            shutil.rmtree(FOLDER, ignore_errors=True)
        shards = max(shards, len(complete))
        if not shards:  # the machine is busier than it was
            lasts *= 1.5
    assert ended_early > KILLS // 3
    assert shards > 3
    kept(clips)
    assert files() == whole


def test_what_a_kill_leaves_half_written_is_written_anew_and_cleared_away():
    kept(Numbers())
    whole = files()
    for name in whole:
        (SHARDS / name).unlink()
    (SHARDS / ".00001.safetensors.part").write_bytes(whole["00001.safetensors"][:99])
    (SHARDS / "00000.safetensors").write_bytes(whole["00000.safetensors"])
    assert encoding(Numbers()).missing(lambda _: None, print) == [1, 2, 3, 4, 5]
    kept(Numbers())
    assert files() == whole


def test_a_process_that_reads_audio_and_dies_is_one_line_and_nothing_is_lost():
    with pytest.raises(TrainingError) as refused:
        kept(Dying(20), workers=1)
    assert str(refused.value) == (
        "a process that reads audio was ended by the system, which is mostly for want of "
        "(shared) memory; lower `workers`, 0 needs none"
    )
    assert sorted(files()) == ["00000.safetensors"]
    kept(Numbers(20))
    before = files()
    shutil.rmtree(FOLDER)
    kept(Numbers(20))
    assert files() == before


def test_a_full_disk_is_one_line_and_what_was_made_is_used(monkeypatch):
    written, before = [], write_bytes
    kept(Numbers(), folder="whole")

    def full(path, data):
        if len(written) == 3:
            with nano.full_disk(100):
                before(path, data)
        written.append(path.name)
        before(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(latent_shards, "write_bytes", full)
        with pytest.raises(WeightsError) as refused:
            kept(Numbers())
    assert str(refused.value) == (
        f"{SHARDS}/00003.safetensors: can't be written (File too large); free some space or "
        "write elsewhere"
    )
    assert encoding(Numbers()).missing(lambda _: None, print) == [3, 4, 5]
    kept(Numbers())
    assert files() == files("whole")


def test_latents_that_the_disk_would_not_hold_are_refused_before_any_is_made(monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=2**28)
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(latent_shards, "SHARD_CROPS", 1024)
    many = encoding(Numbers(10**7), passes=2)
    with pytest.raises(RequestError) as refused:
        check_room_for(many, encoding(Numbers(10**7), passes=2))
    assert str(refused.value) == (
        "latents-train: the latents that 'upper' learns from would take about 0.3 GiB on the "
        "disk and 0.2 GiB are free; lower its `passes` (now 2), or name another folder for the run"
    )
    assert not FOLDER.exists()


def test_what_is_there_needs_no_more_room():
    kept(Numbers(100))
    size = sum(it.stat().st_size for it in FOLDER.rglob("*.safetensors"))
    assert encoding(Numbers(100)).needed_bytes() == max(0, 100 * 3 * 8 - size)
    assert encoding(Numbers(10**5)).needed_bytes() == 10**5 * 3 * 8 - size
    assert encoding(Numbers(100), passes=1000).needed_bytes() == 100 * 1000 * 8 - size


def test_further_passes_make_no_room():
    kept(Numbers())
    for path in SHARDS.iterdir():
        path.write_bytes(bytes(30))
    assert encoding(Numbers(), passes=1).needed_bytes() == 10 * 8 - 2 * 30
