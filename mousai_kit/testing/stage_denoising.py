"""What a stage that denoises shows of it, so that it can be distilled.

Legend: b batch, c channels, n frames.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Options, Use
from mousai_kit.core.interfaces import Denoising, NoiseSource, Sampler, Schedule, Stage, Velocity
from mousai_kit.testing.assertions import assert_alike
from mousai_kit.testing.stage_base import PROMPTS, StageSuite, Trained


class _Silence(Sampler):
    """Makes silence of any noise, in one evaluation."""

    name = "silence"
    asked: ClassVar[list[int]] = []

    def __init__(self, options: Options, *, schedule: Schedule) -> None:
        super().__init__(options, schedule=schedule)
        self.steps = 1

    def sample(
        self, velocity: Velocity, noise: Tensor, *, generator: NoiseSource | None = None
    ) -> Tensor:
        """Return silence [b, c, n]."""
        self.asked.append(len(noise))
        return torch.zeros_like(velocity(noise, torch.ones(len(noise)).to(noise)))


class DenoisingRules(StageSuite):
    """What a stage with `denoising` keeps to; one without is asked nothing."""

    def test_a_batch_to_denoise_is_its_clips_and_a_velocity(self, trained: Trained) -> None:
        if not _denoises(trained.stage):
            return
        whole = self.denoising(trained.stage, self.signals())
        rule = "the signals to denoise must carry no gradient"
        assert not whole.signal.requires_grad, rule
        alone = self.denoising(trained.stage, self.signals()[1:2], first=1)
        rule = "a clip that is denoised must not depend on the others of its batch"
        assert_alike(alone.signal, whole.signal[1:2], rule, within=1e-4)
        asked = (whole.signal.detach() + 0.5, torch.full((3,), 0.5))
        rule = "the velocity must be bound to its own clip, whatever is beside it"
        velocity = alone.velocity(*(part[1:2] for part in asked))
        assert_alike(velocity, whole.velocity(*asked)[1:2], rule, within=1e-3)
        assert velocity.requires_grad, "gradients must reach the network through the velocity"

    def test_guidance_of_one_is_no_guidance(self, trained: Trained) -> None:
        if not _denoises(trained.stage) or not trained.stage.text_features:
            return
        ones, rule = torch.ones(3), "guided by 1, the velocity must be that of the text alone"
        assert_alike(
            self.velocity(trained, guidance=ones), self.velocity(trained), rule, within=1e-3
        )
        strong = self.velocity(trained, guidance=torch.tensor([1.0, 3.0, 3.0]))
        assert_alike(strong[0], self.velocity(trained)[0], rule, within=1e-3)
        rule = "each clip must be guided by its own scale"
        assert (strong[1:] - self.velocity(trained)[1:]).abs().amax((1, 2)).min() > 1e-4, rule

    def test_a_texts_tokens_are_shifted(self, trained: Trained) -> None:
        features = trained.stage.text_features
        if not _denoises(trained.stage) or not features:
            return
        plain, still = self.velocity(trained), torch.zeros(3, features)
        rule = "a shift of 0 must change nothing"
        assert_alike(self.velocity(trained, text_shift=still), plain, rule, within=1e-5)
        moved = self.velocity(trained, text_shift=still + torch.linspace(-1, 2, features))
        assert (moved - plain).abs().max() > 1e-4, "a shift of the text's tokens must be heard"

    def test_it_generates_with_a_sampler_that_replaces_its_own(self, trained: Trained) -> None:
        if not _denoises(trained.stage):
            return
        fresh = self.fresh()
        fresh.load_state_dict(trained.stage.state_dict())
        fresh.replace_sampler(Use(_Silence, _Silence.Options()))
        _Silence.asked.clear()
        self.decode(fresh.eval())
        assert _Silence.asked, "replace_sampler must change what decode samples with"

    def denoising(self, stage: Any, signal: Tensor, *, first: int = 0, **how: Any) -> Denoising:
        """Return what a stage denoises of clips whose texts are the prompts from `first` on."""
        places = range(first, first + len(signal))
        found: Denoising = stage.denoising(
            signal,
            [PROMPTS[place] for place in places],
            noise=NoiseSource(places),
            condition="right",
            **how,
        )
        return found

    def velocity(self, trained: Trained, **how: Any) -> Tensor:
        """Return v of the clips at a level in the middle."""
        found = self.denoising(trained.stage, self.signals(), **how)
        with torch.no_grad():
            return found.velocity(found.signal + 0.5, torch.full((3,), 0.5))


def _denoises(stage: Any) -> bool:
    return type(stage).denoising is not Stage.denoising
