"""What every network keeps to that learns with its stage, whatever its kind."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from mousai_kit.models.blocks import wrap_blocks
from mousai_kit.runs import checkpoint
from mousai_kit.testing.assertions import assert_alike, assert_finite
from mousai_kit.testing.contract import MEANT, Contract, salted_hash


class NetworkContract(Contract):
    """What text encoders, spectral encoders and U-Nets keep to as networks.

    Networks are built small, with `options`, and their weights are stirred, so that what starts at
    zero is tested as it is after learning.
    """

    @abstractmethod
    def network(self, *, seed: int = 0) -> Any:
        """Return the network, built, ready to be used and stirred."""

    @abstractmethod
    def fresh(self, *, seed: int = 0) -> Any:
        """Return the network as it is built, before anything is learned."""

    @abstractmethod
    def inputs(self, *, device: str = "cpu") -> Sequence[Any]:
        """Return a batch that the network may be given."""

    @abstractmethod
    def answer(self, network: Any, inputs: Sequence[Any]) -> Tensor:
        """Return what the network makes of a batch [b, ...]."""

    def state_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shapes of what is built, by name."""
        return {name: tuple(tensor.shape) for name, tensor in _state(self.fresh()).items()}

    def test_every_parameter_gets_a_gradient(self) -> None:
        network = self.network().train()
        learned = learned_parameters(network)
        if learned:
            _weighted_sum(self.answer(network, self.inputs())).backward()
        rule = "a parameter without a gradient never learns: remove or use it"
        assert without_gradient(learned) == [], rule
        for name, parameter in learned.items():
            assert parameter.grad is not None
            assert_finite(parameter.grad, f"the gradient of {name} must be finite")

    def test_its_repeated_blocks_may_be_computed_again(self) -> None:
        network = self.network().train()
        own = {*network.modules()}
        foreign = [block for block in network.repeated_blocks() if block not in own]
        assert foreign == [], "repeated_blocks() must return modules of the network"
        plain, again = (
            self._gradients(network, recompute=recompute) for recompute in (False, True)
        )
        rule = "a repeated block must do the same when training calls it again for its gradients"
        assert unequal_tensors(plain, again) == [], rule

    def _gradients(self, network: Any, *, recompute: bool) -> dict[str, Tensor]:
        """Return the gradients of what is learned, the same at every call."""
        network.zero_grad()
        torch.manual_seed(0)
        if learned := learned_parameters(network):
            with wrap_blocks(network, recompute=recompute):
                result = _weighted_sum(self.answer(network, self.inputs()))
            result.backward()
        return {
            name: parameter.grad.clone()
            for name, parameter in learned.items()
            if parameter.grad is not None
        }

    def test_frozen_weights_are_no_part_of_its_state(self) -> None:
        network = self.network()
        frozen = [
            name for name, parameter in network.named_parameters() if not parameter.requires_grad
        ]
        rule = "what is not learned belongs outside the module's state, or checkpoints repeat it"
        assert frozen == [], rule

    def test_the_seed_decides_its_first_weights(self) -> None:
        once, again, other = (_state(self.fresh(seed=seed)) for seed in (0, 0, 1))
        rule = "first weights must come from torch's generator, which training seeds"
        assert unequal_tensors(once, again) == [], rule
        assert unequal_tensors(once, other) or not learned_parameters(self.fresh()), rule

    def test_it_answers_the_same_every_time(self) -> None:
        network, inputs = self.network().eval(), self.inputs()
        with torch.no_grad():
            torch.manual_seed(0)
            once = self.answer(network, inputs)
            torch.manual_seed(1)
            again = self.answer(network, inputs)
        rule = "outside of training a network must answer the same every time, whatever the seed"
        assert torch.equal(once, again), rule

    def test_it_answers_the_same_in_another_process(self) -> None:
        network, inputs = self.network().eval(), self.inputs()
        with torch.no_grad():
            expected = self.answer(network, inputs)
            with salted_hash(self.component):
                built, loaded = self.network().eval(), self.fresh().eval()
                loaded.load_state_dict(network.state_dict())
                for other in (built, loaded):
                    assert_alike(self.answer(other, inputs), expected, MEANT)

    def test_using_it_leaves_its_weights_and_buffers(self) -> None:
        network = self.network().eval()
        before = copy.deepcopy(_state(network))
        with torch.no_grad():
            self.answer(network, self.inputs())
        rule = "outside of training use must change no state: a checkpoint would depend on it"
        assert unequal_tensors(before, _state(network)) == [], rule

    def test_its_state_comes_back_from_a_weights_file(self, tmp_path: Path) -> None:
        network, fresh, inputs = self.network().eval(), self.fresh(seed=1).eval(), self.inputs()
        state = network.state_dict()
        odd = [name for name, value in state.items() if not isinstance(value, Tensor)]
        assert odd == [], "weight files hold tensors only: return extra state as one, of bytes say"
        checkpoint.write_checkpoint(tmp_path / "weights.safetensors", state, {})
        tensors, _ = checkpoint.read_checkpoint(tmp_path / "weights.safetensors")
        checkpoint.load_into(fresh, tensors, origin="weights.safetensors")
        with torch.no_grad():
            expected, made = self.answer(network, inputs), self.answer(fresh, inputs)
        rule = "with a file's weights a network must answer as the one that was saved"
        assert_alike(made, expected, rule)

    def test_on_the_meta_device_it_makes_shapes(self) -> None:
        expected = self.answer(self.network(), self.inputs())
        with torch.device("meta"):
            built = self.fresh()
        rule = "create tensors on the device of inputs or weights: `show` builds on torch's meta"
        for network in (built, self.network().to("meta")):
            made = self.answer(network, self.inputs(device="meta"))
            assert (made.shape, made.device.type) == (expected.shape, "meta"), rule

    def test_a_copy_answers_the_same(self) -> None:
        network, inputs = self.network().eval(), self.inputs()
        with torch.no_grad():
            expected = self.answer(network, inputs)
            made = self.answer(copy.deepcopy(network), inputs)
        assert_alike(made, expected, "a copy.deepcopy must answer as what it was made of")

    def test_it_can_learn_after_use_in_inference_mode(self) -> None:
        network, inputs = self.network(), self.inputs()
        with torch.inference_mode():
            self.answer(network.eval(), inputs)
        if learned := learned_parameters(network):
            _weighted_sum(self.answer(network.train(), inputs)).backward()
        missing = [name for name, parameter in learned.items() if parameter.grad is None]
        assert missing == [], "what is kept of a call must not stop gradients of the next"

    def test_in_bfloat16_autocast_it_is_near_its_float_self(self) -> None:
        network, inputs = self.network().eval(), self.inputs()
        with torch.no_grad():
            exact = self.answer(network, inputs)
            with torch.autocast("cpu", torch.bfloat16):
                rough = self.answer(network, inputs).float()
        away = ((rough - exact).norm() / exact.norm()).item()
        rule = f"in bfloat16 autocast, as training may use, it is {away:.0%} off; keep within 20 %"
        assert away < 0.2, rule

    def test_inputs_are_not_changed_in_place(self) -> None:
        inputs, kept = self.inputs(), copy.deepcopy(self.inputs())
        with torch.no_grad():
            self.answer(self.network(), inputs)
        same = [
            torch.equal(one, other) if isinstance(one, Tensor) else one == other
            for one, other in zip(inputs, kept, strict=True)
        ]
        assert all(same), "inputs are the caller's: copy what you change"


@torch.no_grad()
def perturb(network: Any) -> Any:
    """Return a network with every weight moved a little, as learning does."""
    generator = Generator().manual_seed(0)
    for parameter in learned_parameters(network).values():
        parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network


def learned_parameters(network: Any) -> dict[str, Tensor]:
    """Return the parameters that training changes, by name."""
    named = network.named_parameters()
    return {name: parameter for name, parameter in named if parameter.requires_grad}


def without_gradient(learned: Mapping[str, Tensor]) -> list[str]:
    """Return the names of parameters that no gradient reaches, or 0 alone."""
    return [name for name, item in learned.items() if item.grad is None or not item.grad.any()]


def unequal_tensors(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors that are not the same in both states."""
    return [name for name in one if not torch.equal(one[name], other[name])]


def check_sizes(built: Any, what: str, *names: str) -> None:
    """Fail unless what is built tells its sizes."""
    for name in names:
        size = getattr(built, name, None)
        rule = f"`{name}` must be a whole number once the {what} is built (got {size!r})"
        assert isinstance(size, int) and size > 0, rule  # noqa: PT018 (one rule)


def mixes_batch(made: Tensor, given: Tensor) -> bool:
    """Whether the first item of a result [b, ...] follows any item of what was given but its own.

    Asks gradients, so that randomness in training does not hide it.
    """
    (gradient,) = torch.autograd.grad(_weighted_sum(made[:1]), given)
    return bool(gradient[1:].any())


def _weighted_sum(made: Tensor) -> Tensor:
    """Return a scalar in which every number of a result counts differently."""
    weights = torch.randn(made.shape, generator=Generator().manual_seed(0))
    return (made.float() * weights).sum()


def _state(network: Any) -> dict[str, Tensor]:
    """Return a network's tensors by name."""
    return {
        name: tensor for name, tensor in network.state_dict().items() if isinstance(tensor, Tensor)
    }
