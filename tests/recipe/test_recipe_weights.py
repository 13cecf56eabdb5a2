"""What decides a stage's weights, and in what two recipes differ."""

import json

import pytest

from mousai_kit.recipe import diff_paths, stage_fingerprint_values, stage_hash


def test_the_key_holds_what_the_weights_depend_on(desk, good):
    key = stage_fingerprint_values(desk.load(text=good), "autoencoder")
    train = key["stages"]["autoencoder"].pop("train")
    assert key == {
        "seed": 0,
        "audio": {"sample_rate": 48000, "channels": 2},
        "data": {"use": "tones"},
        "stages": {
            "autoencoder": {
                "model": {
                    "use": "ladder",
                    "unet": {
                        "use": "net",
                        "items": [],
                        "skips": {},
                        "hop_length": 256,
                        "mode": "a",
                    },
                    "schedule": {"use": "shifted-cosine", "shift": 2.0},
                    "spare": [],
                    "named": {},
                }
            }
        },
    }
    assert {"batch", "passes"} <= set(train)
    assert not {"steps", "minutes"} & set(train)


@pytest.mark.parametrize(
    "override",
    [
        "name=other",
        "device=cpu",
        "generate.seconds=3",
        "evaluate.clips=1",
        "stages.autoencoder.train.workers=0",
        "stages.autoencoder.train.validate_every=5",
        "stages.autoencoder.train.checkpoint_every=5",
        "stages.autoencoder.train.steps=11",
        "stages.autoencoder.train.minutes=1",
        "stages.autoencoder.train.expected_minutes=1",
        "stages.autoencoder.model.sampler={use: ddim, steps: 5}",
        "stages.autoencoder.model.sampler=stepless",
        "stages.autoencoder.model.spare=[ddim, {use: refined, first: {use: ddim, steps: 9}}]",
        "stages.autoencoder.model.named={one: ddim}",
    ],
)
def test_what_never_changes_weights_is_no_part_of_the_key(desk, good, override):
    one, other = desk.load(text=good), desk.load(override, text=good)
    assert stage_fingerprint_values(one, "generator") == stage_fingerprint_values(
        other, "generator"
    )
    assert stage_hash(one, "generator") == stage_hash(other, "generator")
    assert one.hash != other.hash


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "audio.channels=1",
        "data={use: folder, path: x}",
        "stages.autoencoder.model.schedule.shift=3",
        "stages.autoencoder.model.unet.hop_length=3",
    ],
)
def test_what_changes_a_stage_changes_those_above_it(desk, good, override):
    one, other = desk.load(text=good), desk.load(override, text=good)
    for stage in ("autoencoder", "generator"):
        assert stage_hash(one, stage) != stage_hash(other, stage)


def test_what_changes_a_stage_leaves_those_below_it(desk, good):
    one, other = desk.load(text=good), desk.load("stages.generator.train.batch=3", text=good)
    assert stage_hash(one, "autoencoder") == stage_hash(other, "autoencoder")
    assert stage_hash(one, "generator") != stage_hash(other, "generator")


def test_the_order_of_stages_counts_and_that_of_other_keys_does_not(desk, good):
    head, tail = good.split("stages:\n")
    stages, rest = tail.split("generate:\n")
    first, second = stages.split("  generator:\n")
    swapped = f"{head}stages:\n  generator:\n{second}{first}generate:\n{rest}"
    lines = good.splitlines(keepends=True)
    moved = "".join([*lines[1:3], lines[0], *lines[3:]])
    recipe = desk.load(text=good)
    assert desk.load(text=moved).hash == recipe.hash
    other = desk.load(text=swapped)
    assert other.hash != recipe.hash
    assert diff_paths(recipe.to_dict(), other.to_dict()) == ["stages"]


def test_a_hash_is_stable_from_run_to_run(desk, good):
    recipe = desk.load(text=good)
    assert (recipe.hash, stage_hash(recipe, "autoencoder")) == ("572567e2bd24", "427b3f8d95a9")


def test_a_key_survives_json(desk, good):
    key = stage_fingerprint_values(desk.load(text=good), "generator")
    assert diff_paths(key, json.loads(json.dumps(key))) == []
    assert diff_paths(key, json.loads(json.dumps(key, sort_keys=True))) == []


def test_differences_are_dotted_paths_as_deep_as_they_go(desk, good):
    one = stage_fingerprint_values(desk.load(text=good), "generator")
    other = stage_fingerprint_values(
        desk.load(
            "seed=4",
            "data={use: folder, path: x}",
            "stages.generator.model.unet.items.1.channels=5",
            "stages.autoencoder.model.schedule=cosine",
            text=good,
        ),
        "generator",
    )
    assert diff_paths(one, other) == [
        "seed",
        "data.use",
        "data.path",
        "data.hidden",
        "stages.autoencoder.model.schedule.use",
        "stages.autoencoder.model.schedule.shift",
        "stages.generator.model.unet.items.1.channels",
    ]


@pytest.mark.parametrize(
    ("one", "other", "paths"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a.1"]),
        ({"a": {"b": 1}}, {"a": 1}, ["a"]),
        ({"a": {}}, {"b": {}}, ["a", "b"]),
    ],
)
def test_values_of_another_type_or_length_differ_as_a_whole(one, other, paths):
    assert diff_paths(one, other) == paths
