"""Blocks compiled by torch: the same gradients but for rounding, one code for equal blocks."""

import os
import shutil
from pathlib import Path

import nano
import pytest
import torch
from block_network import run
from torch import nn
from torch._dynamo.utils import counters
from torch._inductor import config
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

import mousai_kit.api as mk
from mousai_kit.models import blocks
from mousai_kit.runs import checkpoint
from mousai_kit.training.run import train_run

pytestmark = [
    pytest.mark.skipif(
        shutil.which(os.environ.get("CXX", "g++")) is None, reason="without a C++ compiler"
    ),
    pytest.mark.filterwarnings("ignore:The .grad attribute"),  # torch 2.13's own, while it compiles
]


@pytest.fixture(autouse=True, scope="module")
def kept_in(tmp_path_factory):
    """Let all tests find what one of them compiled."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.getbasetemp().parent / "compiled"
        patch.setenv(blocks.KEPT_IN, str(folder))
        yield folder


class Block(nn.Module):
    """A repeated block; whatever it is, it counts how often Python runs it."""

    def __init__(self, inner=None):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(8, 8))
        self.inner, self.heard = inner, []

    def forward(self, x):
        if not torch.compiler.is_compiling():
            self.heard.append(len(x))
        y = (x @ self.weight).sin() * x
        return y if self.inner is None else self.inner(y)


def versions(work):
    """Return what a function returns, and how many versions of code were compiled for it."""
    before = counters["stats"]["unique_graphs"]
    return work(), counters["stats"]["unique_graphs"] - before


def gradient(block, x=None, **how):
    block.zero_grad()
    run(block, torch.ones(3, 8) if x is None else x, **how).sum().backward()
    return block.weight.grad.clone()


def test_equal_blocks_share_their_code_and_other_shapes_have_their_own():
    first, second = Block(), Block()
    plain = [gradient(it) for it in (first, second)]
    torch.compiler.reset()
    found, count = versions(lambda: [gradient(it, compiled=True) for it in (first, second)])
    assert count == 1
    assert [it.heard for it in (first, second)] == [[3], [3]]  # no call but the plain one
    for it, other in zip(found, plain, strict=True):
        assert torch.allclose(it, other, rtol=1e-5)
    assert versions(lambda: gradient(first, torch.ones(5, 8), compiled=True))[1] == 1
    assert versions(lambda: gradient(second, torch.ones(5, 8), compiled=True))[1] == 0


def kept(block, **how):
    """Return how many tensors are kept for a block's backward pass."""
    tensors = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda it: tensors.append(it) or it, lambda it: it
    ):
        run(block, torch.ones(3, 8), **how)
    return len(tensors)


def test_a_compiled_block_computes_again_what_it_does_not_keep():
    block = Block()
    found = gradient(block, compiled=True)
    assert torch.equal(gradient(block, compiled=True, recompute=True), found)
    assert kept(block, compiled=True) > kept(block, compiled=True, recompute=True)
    assert block.heard == []


def test_a_block_inside_another_is_compiled_with_it():
    outer = Block(Block())
    plain = gradient(outer)
    torch.compiler.reset()
    found, count = versions(lambda: gradient(outer, compiled=True))
    assert count == 1
    assert torch.allclose(found, plain, rtol=1e-5)
    again = gradient(outer, compiled=True, recompute=True)
    assert torch.equal(again, found)


def test_without_gradients_and_without_being_asked_a_block_is_as_it_was():
    block = Block()

    def idle():
        gradient(block)
        with torch.no_grad():
            run(block, torch.ones(3, 8), compiled=True)

    assert versions(idle)[1] == 0
    assert block.heard == [3, 3]


def test_a_forward_of_its_own_stays_as_it_is():
    block = Block()
    own = block.forward = lambda x: block.heard.append("own") or x * block.weight.sum()
    run(block, torch.ones(3, 8), compiled=True).sum().backward()
    assert block.heard == ["own"]
    assert block.forward is own


def test_an_error_in_a_compiled_block_is_the_blocks_own():
    class Broken(Block):
        def forward(self, x):
            raise mk.RequestError("no such length")

    with pytest.raises(mk.RequestError, match=r"^no such length$"):
        gradient(Broken(), compiled=True)


def test_what_is_compiled_lies_where_only_this_process_looks(monkeypatch):
    monkeypatch.setenv(blocks.KEPT_IN, default_cache_dir())  # as torch has it once it is loaded
    blocks._compile.cache_clear()
    torch.compiler.reset()
    gradient(Block(), torch.ones(7, 8), compiled=True)
    folder = Path(os.environ[blocks.KEPT_IN])
    assert folder.name.startswith("mousai-kit-compiled-")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.rglob("*.so"))
    blocks._compile.cache_clear()


@pytest.fixture
def no_compiler():
    torch.compiler.reset()
    with config.patch({"cpp.cxx": ("/no/such/compiler",)}):
        yield
    torch.compiler.reset()


def test_a_block_that_cannot_be_compiled_is_told_in_a_line(no_compiler):
    with pytest.raises(blocks.CompileError) as told, blocks.report_compile_errors():
        gradient(Block(), compiled=True)
    assert str(told.value).startswith("torch's compiler fails: ")
    assert "/no/such/compiler" in str(told.value)
    assert "\n" not in str(told.value)


def test_training_learns_the_same_but_for_rounding_and_goes_on_bit_for_bit(here, capsys):
    plain = trained("plain", compiled="false")
    whole = trained("whole")
    trained("parts", steps=2)
    torch.compiler.reset()
    parts = trained("parts")
    assert whole.keys() == plain.keys()
    assert all(torch.equal(it, parts[name]) for name, it in whole.items())
    for name, it in whole.items():
        assert torch.allclose(it, plain[name], rtol=1e-3, atol=1e-5), name
    assert not all(torch.equal(it, plain[name]) for name, it in whole.items())
    assert capsys.readouterr().err.count("compiling blocks in the first step") == 3


def trained(folder, *, compiled="true", steps=4):
    """Return the weights of a training of a few steps."""
    train_run(
        nano.system(
            f"stages.autoencoder.train.compile={compiled}",
            f"stages.autoencoder.train.steps={steps}",
            text=nano.AUTOENCODER_ONLY,
            folder=folder,
        )
    )
    return checkpoint.read_checkpoint(Path(folder, "autoencoder", "weights.safetensors"))[0]


def test_a_compiler_that_is_not_there_ends_a_run_before_its_first_step(here, capfd, no_compiler):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    key = "stages.autoencoder.train.compile"
    said = nano.call(capfd, "run", "nano.yaml", "--set", f"{key}=true", "--out", "run")
    assert said.code == 2
    assert said.err.startswith(f"--set {key}=true: {key}: torch's compiler fails: ")
    assert "/no/such/compiler" in said.err
    assert said.err.count("\n") == 1
    assert not Path("run", "autoencoder").exists()
