"""The contract of U-Nets, and of what they bind once for many steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mousai_kit.core.errors import MousaiError
from mousai_kit.core.interfaces import TextEmbedding
from mousai_kit.testing.assertions import assert_alike, assert_differs, assert_finite
from mousai_kit.testing.network import check_sizes, mixes_batch
from mousai_kit.testing.unet_base import FRAMES, UNetInputs, UNetSuite

LEVELS = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0])
"""What a sampler of four steps tells."""
OTHERS = torch.tensor([0.9, 0.6, 0.01])
"""Levels that it did not tell."""


class BindingContract(UNetSuite):
    """The rules of `bind` and `prepare_for_inference`."""

    @torch.no_grad()
    def test_a_bound_velocity_is_the_networks_at_every_call(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text)
            for level in (1.0, 0.7, 0.2):
                asked = _at(given, given.sigma * level, length=given.x.shape[2] - int(5 * level))
                made, expected = asked.to_bound(velocity), asked.to(network)
                assert_alike(made, expected, "bind(...)(x, sigma) must equal forward at every call")

    @torch.no_grad()
    def test_it_is_the_networks_at_levels_that_were_told(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text, levels=LEVELS)
            for level in LEVELS[:-1]:
                asked = _at(given, level.expand(len(given.x)))
                rule = f"bound with levels, v must equal forward at one of them ({level:.2f})"
                assert_alike(asked.to_bound(velocity), asked.to(network), rule)

    @torch.no_grad()
    def test_it_is_the_networks_at_levels_that_were_not_told(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text, levels=LEVELS)
            mixed = torch.cat([LEVELS[1:2], OTHERS[:1]]).repeat(len(given.x))[: len(given.x)]
            for sigma in (*(level.expand(len(given.x)) for level in OTHERS), mixed):
                asked = _at(given, sigma)
                rule = f"bound with levels, v must equal forward at others too ({sigma.tolist()})"
                assert_alike(asked.to_bound(velocity), asked.to(network), rule)

    @torch.no_grad()
    def test_levels_may_be_unknown(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text, levels=torch.empty(0))
            made = given.to_bound(velocity)
            assert_alike(made, given.to(network), "levels may be empty: not known beforehand")

    @torch.no_grad()
    def test_each_binding_keeps_its_own_conditioning(self) -> None:
        for network, given in self.each():
            other = UNetInputs.of(
                [None if tensor is None else tensor.flip(0) for tensor in given.tensors()]
            )
            other = other.change(x=given.x).at(given.sigma)
            first, second = (network.bind(inputs.context, inputs.text) for inputs in (given, other))
            for velocity, asked in ((first, given), (second, other), (first, given)):
                rule = "what is bound must belong to the binding: another may be in use beside it"
                assert_alike(asked.to_bound(velocity), asked.to(network), rule)

    @torch.no_grad()
    def test_a_binding_follows_what_was_learned_since_the_last(self) -> None:
        for network, given in self.each():
            given.to_bound(network.bind(given.context, given.text, levels=LEVELS))
            for parameter in network.parameters():
                parameter.mul_(1.1)
            made = given.to_bound(network.bind(given.context, given.text, levels=LEVELS))
            rule = "a binding must use the weights as they are now: keep nothing of the last"
            assert_alike(made, given.to(network), rule)

    def test_gradients_pass_through_a_binding_as_through_forward(self) -> None:
        for network, given in self.each():
            forward = _gradients(network, given.to(network))
            bound = given.to_bound(network.bind(given.context, given.text))
            for made, expected in zip(_gradients(network, bound), forward, strict=True):
                rule = "stages train with bind too: its gradients must be those of forward"
                assert_alike(made, expected, rule, within=1e-4)

    @torch.no_grad()
    def test_a_settled_network_has_the_same_velocity(self) -> None:
        for network, given in self.each():
            expected = given.to(network)
            network.prepare_for_inference()
            for _ in range(2):
                velocity = network.bind(given.context, given.text, levels=LEVELS)
                rule = "prepare_for_inference() may change the weights' form, not v"
                assert_alike(given.to_bound(velocity), expected, rule)


def _at(given: UNetInputs, sigma: Tensor, *, length: int | None = None) -> UNetInputs:
    """Return the batch at other levels, with another x, cut to a length."""
    return given.at(sigma).change(x=given.x.flip(1)[:, :, :length] * 0.9)


def _gradients(network: Any, v: Tensor) -> list[Tensor]:
    """Return the gradients of all parameters; 0 where one is not reached."""
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(v.square().sum(), learned, allow_unused=True)
    return [torch.zeros(()) if loss is None else loss for loss in found]


class UNetContract(BindingContract):
    """What every U-Net keeps to: any network that predicts a velocity.

    Where a network has options that say whether it hears a context or a text, they go into
    `options_with_context` and `options_with_text`, which are added to `options`; one that can hear
    but one of the two, or neither, says so in `hears`.
    """

    def test_what_it_does_not_hear_it_refuses(self) -> None:
        for missing in {"context", "text"} - set(self.hears):
            with pytest.raises(MousaiError) as refused:
                self.fresh(hearing=[*self.hears, missing])
            assert str(refused.value), f"a network that hears no {missing} must say so when built"

    def test_the_shape_is_kept_at_any_multiple_of_downsampling(self) -> None:
        for network, given in self.each():
            for multiple in (1, 2, 5):
                _check_length(network, given, multiple * network.downsampling)

    def test_any_other_length_is_padded_inside_and_cut_again(self) -> None:
        for network, given in self.each():
            unit = network.downsampling
            for length in sorted({1, 7, 31, unit + 1, 2 * unit - 1}):
                _check_length(network, given, length)

    def test_v_has_the_type_of_x_and_is_finite_at_both_ends(self) -> None:
        for network, given in self.each():
            for level in (0.0, 1.0):
                v = given.at(torch.full_like(given.sigma, level)).to(network)
                assert v.dtype == given.x.dtype, "v must be of x's type"
                assert_finite(v, f"v must be finite at sigma {level}")

    @torch.no_grad()
    def test_v_follows_x(self) -> None:
        for network, given in self.each():
            other = given.change(x=given.x.flip(2)).to(network)
            assert_differs(other, given.to(network), "v must follow x")

    @torch.no_grad()
    def test_v_follows_the_level(self) -> None:
        for network, given in self.each():
            other = given.change(sigma=given.sigma / 2).to(network)
            assert_differs(other, given.to(network), "v must follow sigma")

    @torch.no_grad()
    def test_v_follows_the_target(self) -> None:
        for network, given in self.each():
            if network.jumps:
                other = given.change(target=torch.zeros_like(given.sigma)).to(network)
                rule = "v must follow the target, or the network must not say that it jumps"
                assert_differs(other, given.to(network), rule)

    @torch.no_grad()
    def test_a_target_at_the_level_itself_is_none_at_all(self) -> None:
        for network, given in self.each():
            if network.jumps:
                made = given.change(target=given.sigma).to(network)
                rule = "without a target v must be the velocity at the level, as with sigma itself"
                assert_alike(given.change(target=None).to(network), made, rule)

    @torch.no_grad()
    def test_v_follows_the_context(self) -> None:
        for network, given in self.each():
            if given.context is not None:
                other = given.change(context=-given.context).to(network)
                assert_differs(other, given.to(network), "v must follow the context")

    @torch.no_grad()
    def test_v_follows_the_text(self) -> None:
        for network, given in self.each():
            if given.text is not None:
                text = TextEmbedding(-given.text.embedding, given.text.mask)
                other = given.change(text=text).to(network)
                assert_differs(other, given.to(network), "v must follow the text")

    def test_context_and_text_get_gradients(self) -> None:
        network = self.network()
        tensors = [
            tensor.clone().requires_grad_()
            if tensor is not None and tensor.is_floating_point()
            else tensor
            for tensor in self.inputs_for(network).tensors()
        ]
        UNetInputs.of(tensors).to(network).square().sum().backward()
        for name, item in zip(("x", "sigma", "context", "text"), tensors, strict=False):
            if item is not None and name in self.hears:
                rule = f"a gradient must reach the {name}, whose encoder learns from it"
                assert item.grad is not None, rule
                assert item.grad.any(), rule

    def test_items_of_a_batch_do_not_mix(self) -> None:
        rule = "an item's velocity must depend on its own x, sigma and conditioning alone"
        for network, given in self.each():
            for training in (True, False):
                x = given.x.clone().requires_grad_()
                assert not mixes_batch(given.change(x=x).to(network.train(training)), x), rule
            with torch.no_grad():
                alone = torch.cat([item.to(network) for item in given.items()])
                assert_alike(given.to(network), alone, rule)

    @torch.no_grad()
    def test_masked_tokens_have_no_influence(self) -> None:
        rule = "what the text's mask leaves out must have no influence, whatever it holds"
        for network, given in self.each():
            if given.text is not None:
                mask = torch.arange(given.text.mask.shape[1]).expand_as(given.text.mask) < 3
                expected = given.with_mask(mask).to(network)
                for filler in (1e3, float("nan")):
                    made = given.with_mask(mask, filler=filler).to(network)
                    assert_alike(made, expected, rule)

    def test_a_text_masked_whole_is_allowed(self) -> None:
        for network, given in self.each():
            if given.text is not None:
                mask = given.text.mask.clone()
                mask[0] = False
                v = given.with_mask(mask, filler=float("nan")).to(network.train())
                assert_finite(v, "v must be finite where a text is masked whole")
                v.square().sum().backward()
                for name, parameter in network.named_parameters():
                    if parameter.grad is not None:
                        rule = f"the gradient of {name} must be finite where a text is masked whole"
                        assert_finite(parameter.grad, rule)

    @torch.no_grad()
    def test_a_context_may_have_any_rate(self) -> None:
        network = self.network().eval()
        if "context" in self.hears:
            length = FRAMES * network.downsampling
            for frames in sorted({1, 2, FRAMES, -(-length // 3), length, 2 * length}):
                given = self.inputs_for(network, frames=frames)
                v = given.to(network)
                rule = f"a context of {frames} frames for {length} of x must be heard"
                assert v.shape == given.x.shape, rule
                assert_finite(v, rule)

    def test_its_downsampling_is_a_whole_number(self) -> None:
        check_sizes(self.fresh(), "network", "downsampling")


@torch.no_grad()
def _check_length(network: Any, given: UNetInputs, length: int) -> None:
    """Fail unless a network makes finite velocities of a length."""
    x = given.x[:, :, :1] + torch.linspace(-1, 1, length)
    v = given.change(x=x).to(network)
    assert v.shape == x.shape, f"v must have x's shape at a length of {length}"
    assert_finite(v, f"v must be finite at a length of {length}")
