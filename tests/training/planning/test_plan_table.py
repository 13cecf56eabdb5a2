"""Telling: a plan's figures as a reader sees them, whole."""

import pytest

from mousai_kit.cli import tables

STAGE = {
    "name": "generator",
    "use": "text-to-latent",
    "parameters": {"learned": 24_800_000, "frozen": 0},
    "state": {
        "weights": 99_200_000,
        "gradients": 99_200_000,
        "moments": 198_400_000,
        "average": 99_200_000,
    },
    "train": {"batch": 32, "accumulate": 1},
    "measured": [{"batch": 1, "bytes": 2**30, "seconds": 0.5}],
    "step": {
        "bytes": 41 * 2**30,
        "seconds": 16.0,
        "measured": False,
        "stopped": "a batch of 2 would not fit",
        "longer_than": None,
    },
    "fits": False,
    "advice": [
        {
            "set": ["stages.generator.train.accumulate=8"],
            "bytes": 8 * 2**30,
            "seconds": 16.0,
            "measured": True,
        }
    ],
    "run": {"steps": 1_000_000, "seconds": 16e6, "ends": "steps"},
    "data": {"clips": 10_000, "epochs": 3200.0, "fault": ""},
    "latents": {"crops": 160_000, "seconds": 7200.0, "bytes": 40 * 2**30},
    "disk": {"weights": 99_200_000, "checkpoint": 396_800_000},
    "notes": [],
}


def test_a_stage_is_told_in_full():
    assert tables.rows(STAGE) == [
        ("parameters", "24.800 M learned"),
        (
            "held throughout",
            "473.0 MiB: weights 94.6 MiB, gradients 94.6 MiB, moments 189.2 MiB, average 94.6 MiB",
        ),
        ("a step of 1", "1.0 GiB, 0.5 s (measured)"),
        ("batch 32", "41.0 GiB, 16 s a step (estimated)"),
        ("fits", "no"),
        ("data", "10,000 clips, each learned from 3,200 times"),
        ("the run", "1,000,000 steps in 185 days"),
        ("latents", "160,000 crops, 40.0 GiB on the disk, encoded in 2 h"),
        ("on the disk", "weights 94.6 MiB, checkpoint 378.4 MiB"),
    ]
    assert tables.offers(STAGE) == [
        "--set stages.generator.train.accumulate=8   about 8.0 GiB, 16 s a step (measured)"
    ]
    assert tables.notes(STAGE) == ["generator: measured no further: a batch of 2 would not fit"]


def test_what_is_not_known_is_said_to_be():
    step = {"bytes": None, "seconds": None, "measured": False, "stopped": "", "longer_than": None}
    stage = STAGE | {
        "parameters": {"learned": 1_000_000, "frozen": 2_000_000},
        "train": {"batch": 32, "accumulate": 4},
        "measured": [],
        "step": step,
        "fits": None,
        "run": {"steps": 1000, "seconds": None, "ends": "unknown"},
        "data": {"clips": None, "epochs": None, "fault": "/music: there is no such folder"},
        "latents": {"crops": None, "seconds": None, "bytes": None},
        "notes": ["text encoder 't5' is not on this machine and not counted; `run` fetches it"],
    }
    told = dict(tables.rows(stage))
    assert told["parameters"] == "1.000 M learned, 2.000 M frozen"
    assert told["batch 32 in 4 parts"] == told["fits"] == told["data"] == "unknown"
    assert told["latents"] == "unknown"
    assert told["the run"] == "1,000 steps, how long is unknown"
    assert tables.notes(stage) == [
        "generator: text encoder 't5' is not on this machine and not counted; `run` fetches it",
        "generator: the data can't be counted: /music: there is no such folder",
    ]
    late = stage | {"step": step | {"longer_than": 20.0}}
    assert dict(tables.rows(late))["the run"] == "1,000 steps in more than 5.56 h"


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (
            {"steps": 80, "seconds": 300.0, "ends": "minutes"},
            "80 steps in 5 min, ended by `minutes`",
        ),
        ({"steps": None, "seconds": 300.0, "ends": "unknown"}, "5 min at most"),
    ],
)
def test_minutes_may_end_a_run(run, told):
    assert dict(tables.rows(STAGE | {"run": run}))["the run"] == told


def test_a_stage_that_nothing_helps_is_told_so():
    assert tables.notes(STAGE | {"advice": []})[-1] == (
        "generator: nothing that training can be told makes it fit: it needs a smaller network, a "
        "larger machine or several devices"
    )


def test_the_whole_is_told_above_and_below():
    plan = {"device": "cpu", "free_bytes": 2**31, "usable_bytes": 2**30, "seconds": 86400.0 * 5}
    assert tables.summary_table(plan) == [
        "cpu, 2.0 GiB of memory free, 1.0 GiB of it to use",
        "all stages, one after the other: about 5 days",
    ]
    assert (
        tables.summary_table(plan | {"seconds": None})[1] == "how long training takes is not known"
    )


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.004, "0.004 s"), (119, "119 s"), (120, "2 min"), (200_000, "2.31 days")],
)
def test_durations_are_in_their_own_unit(seconds, told):
    assert tables.duration(seconds) == told
