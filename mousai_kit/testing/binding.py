"""The contract of U-Nets: what is bound once for many steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mousai_kit.testing.comparing import assert_alike
from mousai_kit.testing.given import Given
from mousai_kit.testing.unet_suite import UNetSuite

LEVELS = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0])
"""What a sampler of four steps tells."""
OTHERS = torch.tensor([0.9, 0.6, 0.01])
"""Levels that it did not tell."""


class BindingContract(UNetSuite):
    """The rules of `bind` and `settle`."""

    @torch.no_grad()
    def test_a_bound_velocity_is_the_networks_at_every_call(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text)
            for level in (1.0, 0.7, 0.2):
                asked = _at(given, given.sigma * level, length=given.x.shape[2] - int(5 * level))
                made, expected = velocity(asked.x, asked.sigma), asked.to(network)
                assert_alike(made, expected, "bind(...)(x, sigma) must equal forward at every call")

    @torch.no_grad()
    def test_it_is_the_networks_at_levels_that_were_told(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text, levels=LEVELS)
            for level in LEVELS[:-1]:
                asked = _at(given, level.expand(len(given.x)))
                rule = f"bound with levels, v must equal forward at one of them ({level:.2f})"
                assert_alike(velocity(asked.x, asked.sigma), asked.to(network), rule)

    @torch.no_grad()
    def test_it_is_the_networks_at_levels_that_were_not_told(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text, levels=LEVELS)
            mixed = torch.cat([LEVELS[1:2], OTHERS[:1]]).repeat(len(given.x))[: len(given.x)]
            for sigma in (*(level.expand(len(given.x)) for level in OTHERS), mixed):
                asked = _at(given, sigma)
                rule = f"bound with levels, v must equal forward at others too ({sigma.tolist()})"
                assert_alike(velocity(asked.x, asked.sigma), asked.to(network), rule)

    @torch.no_grad()
    def test_levels_may_be_unknown(self) -> None:
        for network, given in self.each():
            velocity = network.bind(given.context, given.text, levels=torch.empty(0))
            made = velocity(given.x, given.sigma)
            assert_alike(made, given.to(network), "levels may be empty: not known beforehand")

    @torch.no_grad()
    def test_each_binding_keeps_its_own_conditioning(self) -> None:
        for network, given in self.each():
            other = Given.of([None if it is None else it.flip(0) for it in given.tensors()])
            other = other.changed(x=given.x, sigma=given.sigma)
            first, second = (network.bind(it.context, it.text) for it in (given, other))
            for velocity, asked in ((first, given), (second, other), (first, given)):
                rule = "what is bound must belong to the binding: another may be in use beside it"
                assert_alike(velocity(asked.x, asked.sigma), asked.to(network), rule)

    @torch.no_grad()
    def test_a_binding_follows_what_was_learned_since_the_last(self) -> None:
        for network, given in self.each():
            network.bind(given.context, given.text, levels=LEVELS)(given.x, given.sigma)
            for parameter in network.parameters():
                parameter.mul_(1.1)
            made = network.bind(given.context, given.text, levels=LEVELS)(given.x, given.sigma)
            rule = "a binding must use the weights as they are now: keep nothing of the last"
            assert_alike(made, given.to(network), rule)

    def test_gradients_pass_through_a_binding_as_through_forward(self) -> None:
        for network, given in self.each():
            forward = _gradients(network, given.to(network))
            bound = network.bind(given.context, given.text)(given.x, given.sigma)
            for made, expected in zip(_gradients(network, bound), forward, strict=True):
                rule = "stages train with bind too: its gradients must be those of forward"
                assert_alike(made, expected, rule, within=1e-4)

    @torch.no_grad()
    def test_a_settled_network_has_the_same_velocity(self) -> None:
        for network, given in self.each():
            expected = given.to(network)
            network.settle()
            for _ in range(2):
                velocity = network.bind(given.context, given.text, levels=LEVELS)
                made = velocity(given.x, given.sigma)
                assert_alike(made, expected, "settle() may change the weights' form, not v")


def _at(given: Given, sigma: Tensor, *, length: int | None = None) -> Given:
    """Return the batch at other levels, with another x, cut to a length."""
    return given.changed(x=given.x.flip(1)[:, :, :length] * 0.9, sigma=sigma)


def _gradients(network: Any, v: Tensor) -> list[Tensor]:
    """Return the gradients of all parameters; 0 where one is not reached."""
    learned = [it for it in network.parameters() if it.requires_grad]
    found = torch.autograd.grad(v.square().sum(), learned, allow_unused=True)
    return [torch.zeros(()) if it is None else it for it in found]
