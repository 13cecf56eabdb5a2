"""How a stage learns: a loss per clip that rests on its noise alone, and falls.

Legend: b batch, c channels, t frames of the space below.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mousai_kit.interfaces import Condition, NoiseSource, TextEncoder
from mousai_kit.testing.signals import nothing_drawn
from mousai_kit.testing.stage_ground import CONDITIONS, PROMPTS, STEPS, StageGround, Trained


class LearningRules(StageGround):
    """What every stage keeps to as it learns."""

    def test_its_loss_is_a_number_for_each_clip(self) -> None:
        stage = self.fresh()
        stage.ready()
        stage.prepare(self.signals().split(1), list(PROMPTS))
        self.loss(stage, self.signals())

    @pytest.mark.parametrize("form", [list, iter])
    def test_one_pass_over_the_signals_is_enough_to_prepare(self, form: Any) -> None:
        stage = self.fresh()
        stage.ready()
        stage.prepare(form(self.signals().split(1)), list(PROMPTS))
        rule = "after prepare the loss is not finite; the signals can be gone through once only"
        assert self.loss(stage, self.signals()).isfinite().all(), rule

    def test_its_text_encoder_is_made_ready_and_prepared(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage, called = self.fresh(), set[str]()
        expected = set()
        for place, part in stage.named_modules():
            if isinstance(part, TextEncoder):
                for name in ("ready", "prepare"):
                    expected.add(f"{place}.{name}")
                    noting = _noting(getattr(part, name), f"{place}.{name}", called)
                    monkeypatch.setattr(part, name, noting)
        stage.ready()
        stage.prepare(iter(self.signals().split(1)), list(PROMPTS))
        rule = "call from the stage's ready and prepare, or no model is fetched, no word known"
        assert sorted(expected - called) == [], rule

    def test_its_state_holds_tensors_only(self) -> None:
        state = self.stage().state_dict()
        assert [name for name, it in state.items() if not isinstance(it, Tensor)] == []
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
        changed = [
            name for name, it in stage.state_dict().items() if not torch.equal(it, state[name])
        ]
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
            self.loss(trained.stage, signal, condition=it).mean().item()
            for it in ("right", "other")
        )
        rule = (
            "having learned a batch, it does no worse when it is told another clip's latent or text"
        )
        assert right < other, f"{rule} ({other:.4g}, told the right one {right:.4g})"

    def test_every_parameter_learns(self, trained: Trained) -> None:
        stage = copy.deepcopy(trained.stage).train()
        stage.zero_grad()
        total = sum(self.loss(stage, self.signals(), condition=it).sum() for it in CONDITIONS)
        assert isinstance(total, Tensor)
        total.backward()
        learned = {name: it for name, it in stage.named_parameters() if it.requires_grad}
        assert learned, "there is nothing to learn"
        idle = [name for name, it in learned.items() if it.grad is None or not it.grad.any()]
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
        stage.prepare(iter([signal]), ["music"])
        loss = stage.loss(signal, ["music"] * 3, noise=NoiseSource(range(3)))
        assert (loss.shape, loss.device.type) == ((3,), "meta")
        if stage.space is not None:
            latents = self.encoded(stage, signal)
            frames = stage.space.frames(self.samples)
            assert (latents.shape, latents.device.type) == (
                (3, stage.space.channels, frames),
                "meta",
            )


def _noting(method: Callable[..., None], name: str, called: set[str]) -> Callable[..., None]:
    """Return a method that notes that it was called."""

    def noting(*given: Any, **told: Any) -> None:
        called.add(name)
        method(*given, **told)

    return noting


def _assert_near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
