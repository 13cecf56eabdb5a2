"""How a stage learns: a loss per clip that rests on its noise alone, and falls.

Legend: b batch, c channels, t frames of the space below.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor

from mousai_kit.core.interfaces import Condition, NoiseSource, SpectralEncoder, TextEncoder
from mousai_kit.testing.network import learned_parameters, unequal_tensors, without_gradient
from mousai_kit.testing.signals import nothing_drawn
from mousai_kit.testing.stage_base import CONDITIONS, STEPS, StageSuite, Trained


class LearningRules(StageSuite):
    """What every stage keeps to as it learns."""

    def test_its_loss_is_a_number_for_each_clip(self) -> None:
        self.loss(self._prepare(self.fresh(), form=list), self.signals())

    @pytest.mark.parametrize("form", [list, iter])
    def test_one_pass_over_the_signals_is_enough_to_prepare(self, form: Any) -> None:
        stage = self._prepare(self.fresh(), form=form)
        rule = "after prepare the loss is not finite; the signals can be gone through once only"
        assert self.loss(stage, self.signals()).isfinite().all(), rule

    def test_its_text_encoder_is_made_ready_and_prepared(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage = self.fresh()
        spies = {
            f"{place}.{name}": _spy(part, name, monkeypatch)
            for place, part in stage.named_modules()
            if isinstance(part, TextEncoder)
            for name in ("download", "fit_statistics")
        }
        rule = "call from the stage's ready and prepare, or no model is fetched, no word known"
        assert self._never_called(stage, spies) == [], rule

    def test_its_spectral_encoder_is_prepared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stage = self.fresh()
        spies = {
            place: _spy(part, "fit_statistics", monkeypatch)
            for place, part in stage.named_children()
            if isinstance(part, SpectralEncoder)
            and type(part).fit_statistics is not SpectralEncoder.fit_statistics
        }
        rule = (
            "call from the stage's fit_statistics, or its encoder begins without what it measures"
        )
        assert self._never_called(stage, spies) == [], rule

    def _never_called(self, stage: Any, spies: Mapping[str, Mock]) -> list[str]:
        """Return which methods a stage does not call where it is made ready and prepared."""
        self._prepare(stage)
        return [name for name, spy in spies.items() if not spy.called]

    def test_its_state_holds_tensors_only(self) -> None:
        state = self.stage().state_dict()
        assert [name for name, tensor in state.items() if not isinstance(tensor, Tensor)] == []
        assert state, "there is nothing to save"

    @pytest.mark.parametrize("frames", [1, 37, 500])
    def test_signals_of_any_length_have_a_finite_loss_each(self, frames: int) -> None:
        stage, signal = self.stage(), self.signals(frames)
        for condition in CONDITIONS:
            loss = self.loss(stage, signal, condition=condition)
            assert loss.isfinite().all(), f"told '{condition}'"
            assert loss.requires_grad, f"told '{condition}'"

    def test_what_it_is_given_is_left_as_it_was(self) -> None:
        stage, signal = self.stage(), self.signals()
        state, given = copy.deepcopy(stage.state_dict()), signal.clone()
        self.loss(stage, signal)
        stage.eval()
        self.loss(stage, signal)
        assert torch.equal(signal, given), "the loss changes the signal that it is given"
        changed = unequal_tensors(stage.state_dict(), state)
        assert changed == [], "the loss changes the stage itself"

    def test_the_same_noise_gives_the_same_loss(self) -> None:
        stage, signal = self.stage(), self.signals()
        for condition in CONDITIONS:
            with nothing_drawn():
                first = self.loss(stage, signal, condition=condition)
            torch.manual_seed(3)
            second = self.loss(stage, signal, condition=condition)
            assert torch.equal(first, second), "it depends on more than weights, clips and noise"

    @pytest.mark.parametrize("condition", ["training", "right", "none"])
    def test_a_clips_loss_does_not_depend_on_the_others(self, condition: Condition) -> None:
        stage, signal = self.stage(), self.signals()
        together = self.loss(stage, signal, condition=condition)
        alone = [
            self.loss(stage, one, condition=condition, first=place)
            for place, one in enumerate(signal.split(1))
        ]
        _assert_near(torch.cat(alone), together)

    def test_the_other_condition_is_the_next_clips(self, trained: Trained) -> None:
        stage, signal = trained.stage, self.signals()
        three = self.loss(stage, signal, condition="other")
        for place in range(2):  # the third hears the first
            two = self.loss(stage, signal[place : place + 2], condition="other", first=place)
            _assert_near(two[0], three[place])
        circle = self.loss(stage, signal[[2, 0]], condition="other", first=2)
        _assert_near(circle[0], three[2])

    def test_fifty_steps_on_one_batch_halve_the_loss(self, trained: Trained) -> None:
        how = f"{STEPS} steps of Adam at {self.learning_rate:g} on one batch"
        rule = f"{how} bring the loss from {trained.before:.3g} to {trained.after:.3g}"
        assert trained.after < trained.before / 2, rule

    def test_it_hears_its_condition(self, trained: Trained) -> None:
        signal = self.signals()
        right, other = (
            self.loss(trained.stage, signal, condition=condition).mean().item()
            for condition in ("right", "other")
        )
        rule = (
            "having learned a batch, it does no worse when it is told another clip's latent or text"
        )
        assert right < other, f"{rule} ({other:.4g}, told the right one {right:.4g})"

    def test_every_parameter_learns(self, trained: Trained) -> None:
        stage = copy.deepcopy(trained.stage).train()
        stage.zero_grad()
        total = sum(
            self.loss(stage, self.signals(), condition=condition).sum() for condition in CONDITIONS
        )
        assert isinstance(total, Tensor)
        total.backward()
        learned = learned_parameters(stage)
        assert learned, "there is nothing to learn"
        idle = without_gradient(learned)
        assert idle == [], "parameters that get no gradient; freeze them, or use them"

    def test_its_loss_is_finite_in_half_precision(self) -> None:
        """A recipe may say `precision: bf16`."""
        stage = self.stage()
        with torch.autocast("cpu", torch.bfloat16):
            loss = self.loss(stage, self.signals())
        assert loss.isfinite().all()
        torch.testing.assert_close(
            loss.float(), self.loss(stage, self.signals()), atol=0.05, rtol=0.2
        )

    def test_it_works_out_shapes_where_there_are_no_numbers(self) -> None:
        """`show` builds everything on the meta device, to tell sizes and memory."""
        stage = self.fresh(device="meta")
        signal = self.signals().to("meta")
        stage.fit_statistics(iter([signal]), ["music"])
        loss = stage.loss(signal, ["music"] * 3, noise=NoiseSource(range(3)))
        assert (loss.shape, loss.device.type) == ((3,), "meta")
        if stage.latent_space is not None:
            latents = self.encode(stage, signal)
            shape = (3, stage.latent_space.channels, stage.latent_space.frames(self.samples))
            assert (latents.shape, latents.device.type) == (shape, "meta")


def _spy(part: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Put a spy, which calls it, in the place of a method."""
    spy = Mock(wraps=getattr(part, name))
    monkeypatch.setattr(part, name, spy)
    return spy


def _assert_near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
