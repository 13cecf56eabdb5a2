"""Networks compiled for sampling: the same velocities but for rounding, training as it was."""

import os
import shutil

import nano
import pytest
import torch
from block_network import BlockNetwork
from torch import nn
from torch._dynamo.utils import counters
from torch._inductor import config

import mousai_kit.api as mk
from mousai_kit.models import blocks
from mousai_kit.models.compiled import GRAPHS, _bind, compile_networks

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="without a C++ compiler"
)
DIT = {"use": "dit1d", "features": 32, "depth": 3, "heads": 2}
UNET = {
    "use": "unet1d",
    "transform": None,
    "channels": [16],
    "factors": [1],
    "blocks": [1],
    "cross_attentions": [1],
    "attention_heads": 2,
    "attention_features": 8,
    "modulation_features": 16,
    "context_injections": [],
}


@pytest.fixture(autouse=True, scope="module")
def kept_in(tmp_path_factory):
    """Let all tests find what one of them compiled."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.getbasetemp().parent / "compiled"
        patch.setenv(blocks.KEPT_IN, str(folder))
        yield folder


def built(spec):
    """Return a network whose weights all count."""
    torch.manual_seed(0)
    network = mk.build(mk.UNet, spec, channels=4, context_channels=0, text_features=8)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network.eval()


def graphs():
    return counters["stats"]["unique_graphs"]


def test_a_compiled_network_samples_the_same_and_its_equal_blocks_share_code():
    network, levels = built(DIT), torch.tensor([1.0, 0.6, 0.3])
    x = torch.randn(1, 4, 24)
    text = mk.TextEmbedding(torch.randn(1, 5, 8), torch.ones(1, 5, dtype=torch.bool))
    with torch.no_grad():
        plain = network.bind(None, text, levels=levels)
        expected = [plain(x, level[None]) for level in levels]
        torch.compiler.reset()
        count = compile_networks([network], CPU)
        before, bound = graphs(), network.bind(None, text, levels=levels)
        found = [bound(x, levels[0][None])]
        made = graphs() - before
        found += [bound(x, level[None]) for level in levels[1:]]
    assert count == 3
    assert made == 1
    assert graphs() - before == made  # no level compiles anew
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert compile_networks([network], CPU) == 0  # nothing twice


def test_a_network_of_which_blocks_are_compiled_reads_its_weights_as_they_are():
    network, levels = built(UNET), torch.tensor([0.6])
    text = mk.TextEmbedding(torch.randn(1, 5, 8), torch.ones(1, 5, dtype=torch.bool))
    x = torch.randn(1, 4, 24)
    with torch.no_grad():
        expected = network.bind(None, text, levels=levels)(x, levels)
        network.compiled = True
        bound = network.bind(None, text, levels=levels)
        assert bound.network is network
        torch.testing.assert_close(bound(x, levels), expected, rtol=1e-4, atol=1e-4)


class Doubling(nn.Module):
    def forward(self, x):
        return 2 * x.sin()


def test_gradients_pass_uncompiled_and_torchs_mode_for_gpus_is_one_that_it_knows():
    block, x = Doubling(), torch.ones(3, requires_grad=True)
    blocks.sample_compiled(block, GRAPHS)
    before = graphs()
    block(x).sum().backward()
    assert graphs() == before
    torch.testing.assert_close(x.grad, 2 * x.detach().cos())
    with torch.no_grad():
        torch.testing.assert_close(block(x), 2 * x.sin())
    assert graphs() == before + 1


def test_what_graphs_return_is_copied_before_the_next_evaluation_writes_over_it():
    memory = torch.zeros(1, 2, 3)
    velocity = _bind(lambda: lambda x, sigma: memory.copy_(x), torch.device("cuda"))
    first = velocity(torch.ones(1, 2, 3), torch.ones(1))
    velocity(torch.zeros(1, 2, 3), torch.ones(1))
    assert first.eq(1).all()


def test_a_network_that_jumps_still_does():
    bound = _bind(lambda: mk.JumpVelocity(lambda x, sigma, target: x * target), CPU)
    assert bound.jumps
    assert bound(torch.ones(2), torch.ones(1), torch.tensor(3.0)).eq(3).all()


@pytest.fixture
def no_compiler():
    torch.compiler.reset()
    with config.patch({"cpp.cxx": ("/no/such/compiler",)}):
        yield
    torch.compiler.reset()


def test_a_compiler_that_is_not_there_is_told_in_a_line(here, capfd, no_compiler):
    said = nano.call(capfd, "generate", "starter", "Rock", "--compile", "--out", "clips")
    assert said.code == 2
    assert said.err.startswith("--compile: torch's compiler fails: ")
    assert said.err.endswith(
        "; install what it needs (on a CPU a C++ compiler such as g++, on CUDA Triton, which comes "
        "with torch), or leave it out\n"
    )
    assert said.err.count("\n") == 1
    with pytest.raises(mk.RequestError, match="compile: torch's compiler fails: "):
        compile_networks([BlockNetwork(Doubling())], CPU)


def test_a_system_says_that_it_compiles(monkeypatch, capsys):
    monkeypatch.setattr("mousai_kit.models.compiled.check_compiler", lambda device: None)
    system = mk.load("starter", compile=True)
    assert "6 blocks of networks compile as they first run" in capsys.readouterr().err
    assert [it.compiled for it in system.stages["generator"].playing_networks()] == [True]
