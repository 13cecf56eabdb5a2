"""The contract of U-Nets."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mousai_kit.errors import MousaiError
from mousai_kit.interfaces import Text
from mousai_kit.testing.binding import BindingContract
from mousai_kit.testing.comparing import assert_alike, assert_differs, assert_finite
from mousai_kit.testing.given import Given
from mousai_kit.testing.network import leaks
from mousai_kit.testing.unet_suite import FRAMES


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
                v = given.changed(sigma=torch.full_like(given.sigma, level)).to(network)
                assert v.dtype == given.x.dtype, "v must be of x's type"
                assert_finite(v, f"v must be finite at sigma {level}")

    @torch.no_grad()
    def test_v_follows_x(self) -> None:
        for network, given in self.each():
            other = given.changed(x=given.x.flip(2)).to(network)
            assert_differs(other, given.to(network), "v must follow x")

    @torch.no_grad()
    def test_v_follows_the_level(self) -> None:
        for network, given in self.each():
            other = given.changed(sigma=given.sigma / 2).to(network)
            assert_differs(other, given.to(network), "v must follow sigma")

    @torch.no_grad()
    def test_v_follows_the_context(self) -> None:
        for network, given in self.each():
            if given.context is not None:
                other = given.changed(context=-given.context).to(network)
                assert_differs(other, given.to(network), "v must follow the context")

    @torch.no_grad()
    def test_v_follows_the_text(self) -> None:
        for network, given in self.each():
            if given.text is not None:
                text = Text(-given.text.embedding, given.text.mask)
                other = given.changed(text=text).to(network)
                assert_differs(other, given.to(network), "v must follow the text")

    def test_context_and_text_get_gradients(self) -> None:
        network = self.network()
        tensors = [
            it.clone().requires_grad_() if it is not None and it.is_floating_point() else it
            for it in self.given(network).tensors()
        ]
        Given.of(tensors).to(network).square().sum().backward()
        for name, it in zip(("x", "sigma", "context", "text"), tensors, strict=False):
            if it is not None and name in self.hears:
                rule = f"a gradient must reach the {name}, whose encoder learns from it"
                assert it.grad is not None, rule
                assert it.grad.any(), rule

    def test_items_of_a_batch_do_not_mix(self) -> None:
        rule = "an item's velocity must depend on its own x, sigma and conditioning alone"
        for network, given in self.each():
            for training in (True, False):
                x = given.x.clone().requires_grad_()
                assert not leaks(given.changed(x=x).to(network.train(training)), x), rule
            with torch.no_grad():
                alone = torch.cat([item.to(network) for item in given.items()])
                assert_alike(given.to(network), alone, rule)

    @torch.no_grad()
    def test_masked_tokens_have_no_influence(self) -> None:
        rule = "what the text's mask leaves out must have no influence, whatever it holds"
        for network, given in self.each():
            if given.text is not None:
                mask = torch.arange(given.text.mask.shape[1]).expand_as(given.text.mask) < 3
                expected = given.masked(mask).to(network)
                for filler in (1e3, float("nan")):
                    made = given.masked(mask, filler=filler).to(network)
                    assert_alike(made, expected, rule)

    def test_a_text_masked_whole_is_allowed(self) -> None:
        for network, given in self.each():
            if given.text is not None:
                mask = given.text.mask.clone()
                mask[0] = False
                v = given.masked(mask, filler=float("nan")).to(network.train())
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
                given = self.given(network, frames=frames)
                v = given.to(network)
                rule = f"a context of {frames} frames for {length} of x must be heard"
                assert v.shape == given.x.shape, rule
                assert_finite(v, rule)

    def test_its_downsampling_is_a_whole_number(self) -> None:
        size = getattr(self.fresh(), "downsampling", None)
        rule = f"`downsampling` must be a whole number once the network is built (got {size!r})"
        assert isinstance(size, int) and size > 0, rule  # noqa: PT018 (one rule)


@torch.no_grad()
def _check_length(network: Any, given: Given, length: int) -> None:
    """Fail unless a network makes finite velocities of a length."""
    x = given.x[:, :, :1] + torch.linspace(-1, 1, length)
    v = given.changed(x=x).to(network)
    assert v.shape == x.shape, f"v must have x's shape at a length of {length}"
    assert_finite(v, f"v must be finite at a length of {length}")
