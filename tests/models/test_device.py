"""Devices: what is not there is told with the way out."""

import pytest
import torch

from mousai_kit.core.errors import RequestError
from mousai_kit.models import device


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes this a machine with so many GPUs."""

    def made(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return made


def refusal(name):
    with pytest.raises(RequestError) as refused:
        device.resolve_device(name)
    return str(refused.value)


@pytest.mark.parametrize(
    ("cuda", "mps", "found"),
    [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda"), (1, True, "cuda")],
)
def test_auto_is_the_best_there_is(machine, cuda, mps, found):
    machine(cuda, mps)
    assert device.resolve_device("auto").type == found


def test_what_is_there_is_taken_by_name(machine):
    machine(cuda=2)
    assert str(device.resolve_device("cpu")) == "cpu"
    assert str(device.resolve_device("cuda:1")) == "cuda:1"


def test_what_is_not_there_is_refused(machine):
    machine()
    assert refusal("cuda") == "device: this torch finds no CUDA GPU here; use `device: auto`"
    assert refusal("mps") == "device: this torch finds no Apple GPU here; use `device: auto`"
    machine(cuda=1)
    assert refusal("cuda:1") == "device: there is no GPU 1; this machine has 1"


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_cpu_plays_in_what_it_has_products_of(monkeypatch, precision, there):
    names = {"avx512_bf16": there, "avx512_fp16": there, "avx2": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: names)
    with device.autocast_to_play(torch.device("cpu"), precision):
        assert torch.is_autocast_enabled("cpu") == (there and precision != "fp32")


def test_an_older_gpu_plays_in_float32(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: asked.append(how))
    with device.autocast_to_play(torch.device("cuda"), "bf16"):
        assert not torch.is_autocast_enabled("cuda")
    assert asked == [{"including_emulation": False}]
