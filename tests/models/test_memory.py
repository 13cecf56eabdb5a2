"""Memory, told without computing: what is alive at a time, and how it grows."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch
from torch import nn

from mousai_kit.core.interfaces import SignalSpace, Stage
from mousai_kit.models import memory

FLOAT = 4


class Chain(Stage):
    """A stage whose loss holds a known number of bytes."""

    name = "chain"

    def __init__(self, compute, *weights, channels=1):
        nn.Module.__init__(self)
        self.input_space, self.latent_space = SignalSpace(channels, 1, 8000), None
        self.compute = compute
        self.learned = nn.ParameterList(weights)

    def loss(self, signal, prompts, *, noise, condition="training"):
        return self.compute(self, signal)

    def encode(self, signal):
        return signal

    def decode(self, latents, request):
        return latents


def generation(compute, *weights, samples=1000, batch=1):
    return memory.generation_bytes(Chain(compute, *weights), samples=samples, batch=batch)


def training(compute, *weights, samples=1000, batch=1):
    return memory.training_bytes(Chain(compute, *weights), samples=samples, batch=batch)


class TestWhatIsAlive:
    def test_a_signal_alone_is_its_own_bytes(self):
        assert generation(lambda stage, x: x) == 1000 * FLOAT

    def test_results_that_are_kept_add_up(self):
        def compute(stage, x):
            kept = [x + 1 for _ in range(5)]
            return kept[0]

        assert generation(compute) == 6 * 1000 * FLOAT

    def test_results_that_are_dropped_do_not(self):
        def compute(stage, x):
            for _ in range(20):
                x + 1
            return x

        assert generation(compute) == 2 * 1000 * FLOAT

    def test_the_most_at_a_time_counts_not_the_last(self):
        def compute(stage, x):
            wide = x.repeat(1, 10, 1)
            del wide
            return x + 1

        assert generation(compute) == 11 * 1000 * FLOAT

    def test_a_view_takes_nothing(self):
        def compute(stage, x):
            kept = [x[..., :10], x.transpose(1, 2), x.reshape(-1), x.expand(50, 1, 1000)]
            return kept[0]

        assert generation(compute) == 1000 * FLOAT

    def test_a_view_keeps_the_whole_alive(self):
        def compute(stage, x):
            small = (x + 1)[..., :1]
            return small + (x + 2).sum()

        assert generation(compute) == 3 * 1000 * FLOAT + FLOAT

    def test_what_changes_in_place_takes_nothing(self):
        assert generation(lambda stage, x: x.add_(1).mul_(2)) == 1000 * FLOAT

    def test_narrower_numbers_take_less(self):
        assert generation(lambda stage, x: x.bfloat16()) == 1000 * (FLOAT + 2)

    def test_all_is_released_when_the_computation_is_over(self):
        with memory._MemoryTracker() as ledger:
            x = torch.zeros(1000, device="meta")
            y = (x + 1) * 2
            assert ledger.now == 2 * 1000 * FLOAT
            del x, y
        assert (ledger.now, ledger.peak) == (0, 3 * 1000 * FLOAT)


class TestTraining:
    def test_what_the_backward_pass_needs_stays_alive(self):
        """Each of five sines keeps its input; without gradients two tensors are alive at a time."""
        weight = nn.Parameter(torch.ones(1))

        def compute(stage, x):
            x = x * stage.learned[0]
            for _ in range(5):
                x = x.sin()
            return x

        weights = memory.ADAM_COPIES * FLOAT
        assert training(compute, weight) == weights + 7 * 1000 * FLOAT
        assert generation(compute, weight) == 3 * 1000 * FLOAT

    def test_weights_are_kept_with_gradients_moments_and_average(self):
        weight = nn.Parameter(torch.ones(500, 1))
        assert training(lambda stage, x: x, weight) == 5 * 500 * FLOAT + 1000 * FLOAT

    def test_a_view_of_a_weight_is_not_counted_again(self):
        weight = nn.Parameter(torch.ones(1000, 1000))

        def compute(stage, x):
            return x @ stage.learned[0].T

        assert generation(compute, weight) == 2 * 1000 * FLOAT
        assert training(compute, weight) == 5 * 1000 * 1000 * FLOAT + 2 * 1000 * FLOAT


class TestStages:
    @pytest.fixture(params=["cpu", "meta"])
    def autoencoder(self, request, build, specs, audio):
        return build(Stage, specs["autoencoder"], input_space=audio, device=request.param)

    def test_memory_grows_with_length(self, autoencoder):
        sizes = [
            memory.generation_bytes(autoencoder, samples=samples)
            for samples in (6400, 12800, 25600)
        ]
        first, second = sizes[1] - sizes[0], sizes[2] - sizes[1]
        assert second == pytest.approx(2 * first, rel=0.05)

    def test_memory_of_training_grows_with_length_and_batch(self, autoencoder):
        def size(samples, batch):
            return memory.training_bytes(autoencoder, samples=samples, batch=batch)

        weights = 5 * FLOAT * sum(p.numel() for p in autoencoder.parameters())
        one = size(6400, 1) - weights
        assert size(12800, 1) - weights == pytest.approx(2 * one, rel=0.1)
        assert size(6400, 4) - weights == pytest.approx(4 * one, rel=0.1)

    def test_it_is_the_same_wherever_the_weights_are(self, build, specs, audio):
        here, nowhere = (
            build(Stage, specs["autoencoder"], input_space=audio, device=device)
            for device in ("cpu", "meta")
        )
        for told in (memory.generation_bytes, memory.training_bytes):
            assert told(here, samples=5000, batch=2) == told(nowhere, samples=5000, batch=2)

    @pytest.mark.parametrize("device", ["cpu", "meta"])
    def test_a_stage_that_follows_a_text_can_be_told_too(self, build, specs, latents, device):
        stage = build(Stage, specs["generator"], input_space=latents, device=device)
        stage.text.fit_statistics(["drums"])
        short, long = (memory.generation_bytes(stage, samples=it) for it in (6400, 64000))
        assert 0 < short < long

    def test_the_stage_itself_stays_as_it_is(self, build, specs, audio):
        stage = build(Stage, specs["autoencoder"], input_space=audio)
        before = {name: value.clone() for name, value in stage.state_dict().items()}
        memory.training_bytes(stage, samples=1000, batch=2)
        assert all(torch.equal(value, before[name]) for name, value in stage.state_dict().items())
        assert {p.device.type for p in stage.parameters()} == {"cpu"}
        assert all(p.grad is None for p in stage.parameters())

    def test_what_can_not_be_told_is_none(self):
        def reads(stage, x):
            return x if x.sum().item() > 0 else x + 1

        assert generation(reads) is None
        assert training(reads) is None


def test_a_blank_signal_has_the_stages_channels_and_frames(build, specs, latents):
    stage = build(Stage, specs["generator"], input_space=latents, device="meta")
    signal = memory.meta_input(stage, samples=1000, batch=3)
    assert (signal.shape, signal.device.type) == ((3, 4, 32), "meta")


def test_what_is_free_on_the_cpu_is_what_the_system_would_give_without_swapping(monkeypatch):
    said = SimpleNamespace(total=16000, available=8000, free=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: said)
    assert memory.free_bytes(torch.device("cpu")) == memory.available_bytes() == 8000


HELD = """
import resource, sys, torch
from mousai_kit.models import memory
cpu = torch.device("cpu")
before = memory.held_bytes(cpu)
held = torch.ones(2**26)
during = memory.held_bytes(cpu)
del held
print(before, during, memory.held_bytes(cpu), memory.peak_bytes(cpu))
"""


def test_what_a_process_holds_falls_again_and_the_most_it_held_does_not():
    """The most is its own, not that of the larger process that started it."""
    mine = torch.ones(2**28)
    told = subprocess.run([sys.executable, "-c", HELD], capture_output=True, check=True, text=True)
    before, during, after, most = map(int, told.stdout.split())
    assert during - before == pytest.approx(2**28, rel=0.1)
    assert after - before < 2**27
    assert during <= 1.01 * most < mine.nbytes


def test_the_disk_of_a_folder_that_is_not_there_is_that_of_the_next_one_above(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=len(path.parts)))
    (tmp_path / "there").mkdir()
    for name in ("there", "there/not", "there/not/either"):
        assert memory.free_disk_bytes(tmp_path / name) == len(tmp_path.parts) + 1


@pytest.mark.skipif(sys.platform != "linux", reason="others do not keep to the limit")
def test_an_allocation_beyond_the_limit_fails_and_one_below_does_not():
    limited = (
        "import torch\nfrom mousai_kit.models import memory\n"
        "cpu = torch.device('cpu')\n"
        "memory.hold_to(memory.held_bytes(cpu) + 2**28, cpu)\n"
        "torch.ones(2**26)\n"
        "try:\n    torch.ones(2**30)\nexcept RuntimeError:\n    memory.let_go()\n"
        "    torch.ones(2**28)\n    print('fails')"
    )
    told = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True)
    assert told.stdout == "fails\n", told.stderr
