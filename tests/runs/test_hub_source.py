"""Weights from the Hugging Face hub, played by a server on this machine."""

import time
from hashlib import sha256

import fake_hub
import pytest

from mousai_kit.core.errors import MousaiError
from mousai_kit.runs.weight_source import WeightSource

MODEL = "someone/dmae"


@pytest.fixture
def served(here):
    """Return a folder whose files the hub has."""
    folder = here / "served"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"weights")
    return folder


def refused(name=MODEL, **more):
    start = time.monotonic()
    with pytest.raises(MousaiError) as raised:
        WeightSource.find(name, **more)
    assert time.monotonic() - start < 8
    return str(raised.value)


def test_the_commit_that_a_name_means_now_is_found_out_and_kept(served, endpoint):
    handler = fake_hub.of(MODEL, served)
    with fake_hub.served(handler) as url:
        endpoint(url)
        source = WeightSource.find(MODEL)
    assert source.path.read_bytes() == b"weights"
    assert source.provenance() == {
        "source": MODEL,
        "file": "pytorch_model.bin",
        "revision": fake_hub.COMMIT,
        "sha256": sha256(b"weights").hexdigest(),
    }
    assert not any("config.json" in path for path in handler.asked)
    again = WeightSource.find(MODEL, revision=fake_hub.COMMIT)  # the hub is gone now
    assert again == source


def test_safetensors_are_preferred(served, endpoint):
    (served / "model.safetensors").write_bytes(b"safe")
    with fake_hub.served(fake_hub.of(MODEL, served)) as url:
        endpoint(url)
        assert WeightSource.find(MODEL).file == "model.safetensors"
        assert WeightSource.find(MODEL, file="pytorch_model.bin").file == "pytorch_model.bin"


def test_a_model_without_weights(served, endpoint):
    (served / "pytorch_model.bin").unlink()
    with fake_hub.served(fake_hub.of(MODEL, served)) as url:
        endpoint(url)
        assert refused() == (
            f"{MODEL}: holds no file of weights (.safetensors, .pt, .pth, .ckpt, .bin, .th)"
        )


def test_a_model_that_the_hub_does_not_have(served, endpoint):
    with fake_hub.served(fake_hub.of(MODEL, served)) as url:
        endpoint(url)
        assert refused("someone/else") == (
            "someone/else: can't be fetched: the hub has no such model; "
            "download it and name the file"
        )


def test_no_way_to_the_hub_is_told_within_seconds(here, endpoint):
    endpoint("http://127.0.0.1:9")
    assert refused() == (
        f"{MODEL}: can't be fetched: http://127.0.0.1:9 can't be reached; "
        "download it and name the file"
    )
