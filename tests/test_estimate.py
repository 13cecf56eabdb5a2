"""Memory, told without computing: what is alive at a time, and how it grows."""

import pytest
import torch
from torch import nn

from mousai_kit import estimate
from mousai_kit.interfaces import Space, Stage

FLOAT = 4


class Chain(Stage):
    """A stage whose loss holds a known number of bytes."""

    name = "chain"

    def __init__(self, compute, *weights, channels=1):
        nn.Module.__init__(self)
        self.below, self.space = Space(channels, 1, 8000), None
        self.compute = compute
        self.learned = nn.ParameterList(weights)

    def loss(self, signal, prompts, *, noise, condition="training"):
        return self.compute(self, signal)

    def encode(self, signal):
        return signal

    def decode(self, latents, request):
        return latents


def generation(compute, *weights, samples=1000, batch=1):
    return estimate.generation_bytes(Chain(compute, *weights), samples=samples, batch=batch)


def training(compute, *weights, samples=1000, batch=1):
    return estimate.training_bytes(Chain(compute, *weights), samples=samples, batch=batch)


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
        with estimate._Ledger() as ledger:
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

        weights = estimate.ADAM_COPIES * FLOAT
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
        return build("stage", specs["autoencoder"], below=audio, device=request.param)

    def test_memory_grows_with_length(self, autoencoder):
        sizes = [
            estimate.generation_bytes(autoencoder, samples=samples)
            for samples in (6400, 12800, 25600)
        ]
        first, second = sizes[1] - sizes[0], sizes[2] - sizes[1]
        assert second == pytest.approx(2 * first, rel=0.05)

    def test_memory_of_training_grows_with_length_and_batch(self, autoencoder):
        def size(samples, batch):
            return estimate.training_bytes(autoencoder, samples=samples, batch=batch)

        weights = 5 * FLOAT * sum(p.numel() for p in autoencoder.parameters())
        one = size(6400, 1) - weights
        assert size(12800, 1) - weights == pytest.approx(2 * one, rel=0.1)
        assert size(6400, 4) - weights == pytest.approx(4 * one, rel=0.1)

    def test_it_is_the_same_wherever_the_weights_are(self, build, specs, audio):
        here, nowhere = (
            build("stage", specs["autoencoder"], below=audio, device=device)
            for device in ("cpu", "meta")
        )
        for told in (estimate.generation_bytes, estimate.training_bytes):
            assert told(here, samples=5000, batch=2) == told(nowhere, samples=5000, batch=2)

    @pytest.mark.parametrize("device", ["cpu", "meta"])
    def test_a_stage_that_follows_a_text_can_be_told_too(self, build, specs, latents, device):
        stage = build("stage", specs["generator"], below=latents, device=device)
        stage.text.prepare(["drums"])
        short, long = (estimate.generation_bytes(stage, samples=it) for it in (6400, 64000))
        assert 0 < short < long

    def test_the_stage_itself_stays_as_it_is(self, build, specs, audio):
        stage = build("stage", specs["autoencoder"], below=audio)
        before = {name: value.clone() for name, value in stage.state_dict().items()}
        estimate.training_bytes(stage, samples=1000, batch=2)
        assert all(torch.equal(value, before[name]) for name, value in stage.state_dict().items())
        assert {p.device.type for p in stage.parameters()} == {"cpu"}
        assert all(p.grad is None for p in stage.parameters())

    def test_what_can_not_be_told_is_none(self):
        def reads(stage, x):
            return x if x.sum().item() > 0 else x + 1

        assert generation(reads) is None
        assert training(reads) is None


def test_a_blank_signal_has_the_stages_channels_and_frames(build, specs, latents):
    stage = build("stage", specs["generator"], below=latents, device="meta")
    signal = estimate.blank(stage, samples=1000, batch=3)
    assert (signal.shape, signal.device.type) == ((3, 4, 32), "meta")


class TestFreeMemory:
    def test_it_is_what_the_system_says(self, monkeypatch, tmp_path):
        said = tmp_path / "meminfo"
        said.write_text("MemTotal:       16000 kB\nMemAvailable:    8000 kB\n")
        self.answer(monkeypatch, said)
        assert estimate.available_bytes() == 8000 * 1024

    @pytest.mark.parametrize("text", ["", "MemTotal: 16000 kB\n", "MemAvailable: much\n", "odd\n"])
    def test_it_is_unknown_where_the_system_does_not_say(self, monkeypatch, tmp_path, text):
        said = tmp_path / "meminfo"
        said.write_text(text)
        self.answer(monkeypatch, said)
        assert estimate.available_bytes() is None

    def test_it_is_unknown_where_there_is_no_such_file(self, monkeypatch, tmp_path):
        self.answer(monkeypatch, tmp_path / "missing")
        assert estimate.available_bytes() is None

    @staticmethod
    def answer(monkeypatch, path):
        monkeypatch.setattr(estimate, "Path", lambda name: {"/proc/meminfo": path}[name])
