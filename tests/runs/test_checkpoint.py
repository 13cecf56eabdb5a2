"""Checkpoints: whole or not at all, and each defect has its own message."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import nano
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mousai_kit.core.errors import WeightsError
from mousai_kit.core.files import write_bytes
from mousai_kit.runs import checkpoint

PATH = Path("w.safetensors")
TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}


def refusal(work):
    with pytest.raises(WeightsError) as refused:
        work()
    return str(refused.value)


def unread():
    return refusal(lambda: checkpoint.read_checkpoint(PATH))


# what is written


def test_what_is_read_is_what_was_written(here):
    odd = {
        **TENSORS,
        "half": torch.ones(3, dtype=torch.bfloat16),
        "true": torch.tensor([True, False]),
        "empty": torch.zeros(0, 4),
        "turned": torch.arange(6).reshape(2, 3).T,
    }
    digest = checkpoint.write_checkpoint(PATH, odd, {"step": 3, "key": {"a": [1, None, "x"]}})
    tensors, header = checkpoint.read_checkpoint(PATH)
    assert tensors.keys() == odd.keys()
    assert all(tensors[name].equal(odd[name]) for name in odd)
    assert all(tensors[name].dtype == odd[name].dtype for name in odd)
    assert (header["step"], header["key"]) == (3, {"a": [1, None, "x"]})
    assert (header["digest"], header["format"]) == (digest, "mousai-kit 1")
    assert nano.names() == ["w.safetensors"]


def test_weights_that_share_memory_are_written_each(here):
    shared = torch.ones(3)
    checkpoint.write_checkpoint(PATH, {"a": shared, "b": shared}, {})
    assert {name: it.tolist() for name, it in checkpoint.read_checkpoint(PATH)[0].items()} == {
        "a": [1, 1, 1],
        "b": [1, 1, 1],
    }


def test_the_digest_stands_for_names_and_contents():
    def digest(tensors):
        return checkpoint.digest(tensors)

    assert digest(TENSORS) == digest(dict(reversed(TENSORS.items())))
    assert digest(TENSORS) != digest({**TENSORS, "b": torch.tensor(4)})
    assert digest(TENSORS) != digest({"a": TENSORS["a"], "c": TENSORS["b"]})


# what can't be written

TOO_LARGE = """
import resource, sys, torch
from pathlib import Path
from mousai_kit.runs import checkpoint as checkpoints
from mousai_kit.core.errors import MousaiError
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    checkpoints.write_checkpoint(Path("w.safetensors"), {"a": torch.zeros(100_000)}, {})
except MousaiError as error:
    print(error)
"""


@pytest.mark.parametrize("before", [True, False])
def test_a_disk_that_is_full_leaves_what_was_there_and_nothing_else(here, before):
    if before:
        checkpoint.write_checkpoint(PATH, TENSORS, {})
    held = PATH.read_bytes() if before else b""
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "w.safetensors: can't be written (File too large); free some space or write elsewhere\n"
    )
    assert nano.names() == (["w.safetensors"] if before else [])
    assert not before or PATH.read_bytes() == held


def test_the_reason_that_the_system_gives_is_told(here, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert refusal(lambda: write_bytes(Path("log"), b"text")) == (
        "log: can't be written (No space left on device); free some space or write elsewhere"
    )
    assert nano.names() == []


def test_a_place_below_a_file_is_refused(here):
    Path("file").write_text("")
    assert refusal(lambda: write_bytes(Path("file/w"), b"")) == (
        "file/w: can't be written (Not a directory); free some space or write elsewhere"
    )


def test_an_interruption_leaves_no_part_of_a_file(here, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(PATH, b"text")
    assert nano.names() == []


# what can't be read


def test_a_missing_file(here):
    assert unread() == "w.safetensors: is missing; train it with `run`"


@pytest.mark.parametrize("data", [b"", b"text", b"\0" * 100, b"\xff" * 100])
def test_a_file_of_something_else(here, data):
    PATH.write_bytes(data)
    said = unread()
    assert said.startswith("w.safetensors: is broken or cut short (")
    assert said.endswith("); delete it and `run` again")
    assert "\n" not in said


def test_a_file_at_any_length_but_its_own(here):
    checkpoint.write_checkpoint(PATH, TENSORS, {"key": "x" * 50})
    data = PATH.read_bytes()
    for length in range(0, len(data), 13):
        PATH.write_bytes(data[:length])
        assert unread().startswith("w.safetensors: is broken or cut short ("), length


def test_a_folder(here):
    PATH.mkdir()
    assert unread().startswith("w.safetensors: is broken or cut short (")


def test_weights_of_another_program(here):
    save_file(TENSORS, PATH)
    assert unread() == "w.safetensors: holds no weights of mousai-kit's"
    save_file(TENSORS, PATH, metadata={"format": "mousai-kit 99"})
    assert unread() == "w.safetensors: holds no weights of mousai-kit's"


def test_a_header_that_can_not_be_read(here):
    save_file(TENSORS, PATH, metadata={"format": "mousai-kit 1", "key": "{"})
    assert unread() == "w.safetensors: has a broken header; delete it and `run` again"


# what does not fit


class Net(nn.Module):
    def __init__(self, size=2):
        super().__init__()
        self.a, self.b = nn.Linear(size, 2), nn.Linear(2, 2)


def misfit(tensors):
    return refusal(lambda: checkpoint.load_into(Net(), tensors, origin="w"))


def test_weights_that_fit_are_loaded():
    source, net = Net(), Net()
    checkpoint.load_into(net, source.state_dict(), origin="w")
    assert net.a.weight.equal(source.a.weight)


def test_another_models_weights_are_refused_by_name():
    assert misfit({}) == (
        "w: fits another model: lacks 'a.bias', 'a.weight' and 'b.bias' and 1 more"
    )
    assert misfit(Net(size=5).state_dict()) == (
        "w: fits another model: has another shape for 'a.weight'"
    )
    assert misfit({**Net().state_dict(), "c": torch.ones(1)}) == (
        "w: fits another model: has 'c' too many"
    )
    some = {"a.weight": torch.ones(1), "c": torch.ones(1)}
    assert misfit(some) == (
        "w: fits another model: lacks 'a.bias', 'b.bias' and 'b.weight'; has 'c' too many; "
        "has another shape for 'a.weight'"
    )
