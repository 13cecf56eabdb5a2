"""What a stage makes: any length, from its seeds and what it is told alone.

Legend: b batch, c channels, t frames of the space below.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces import Sampler
from mousai_kit.testing.network import unequal_tensors
from mousai_kit.testing.signals import loudness, nothing_drawn
from mousai_kit.testing.stage_base import PROMPTS, StageSuite, Trained

LENGTHS = [1, 37, 500, 2048]


class MakingRules(StageSuite):
    """What every stage keeps to as it encodes and decodes."""

    def test_its_space_is_made_of_whole_frames_of_the_space_below(self) -> None:
        stage = self.fresh()
        assert stage.input_space == self.input_space
        if (space := stage.latent_space) is None:
            return
        assert space.channels >= 1
        rule = "its stride is no multiple of the one below"
        assert space.stride % self.input_space.stride == 0, rule
        assert space.sample_rate == self.input_space.sample_rate

    @pytest.mark.parametrize("samples", LENGTHS)
    def test_any_length_has_its_latents(self, samples: int) -> None:
        stage = self.stage().eval()
        frames = self.input_space.frames(samples)
        signal = self.signals(frames)
        if stage.latent_space is None:
            with pytest.raises(RequestError) as refused:
                stage.encode(signal)
            assert "\n" not in str(refused.value)
            return
        latents = self.encode(stage, signal)
        per_latent = stage.latent_space.stride // self.input_space.stride
        assert latents.shape == (3, stage.latent_space.channels, -(-frames // per_latent))
        assert latents.isfinite().all()

    def test_a_clip_is_encoded_alike_alone_and_in_a_batch(self) -> None:
        stage = self.stage().eval()
        if stage.latent_space is None:
            return
        signal = self.signals()
        with nothing_drawn():
            together = self.encode(stage, signal)
        alone = torch.cat([self.encode(stage, one) for one in signal.split(1)])
        torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-3)

    @pytest.mark.parametrize("samples", LENGTHS)
    def test_any_length_can_be_made(self, samples: int) -> None:
        made = self.decode(self.stage().eval(), samples=samples)
        assert made.shape == (3, self.input_space.channels, self.input_space.frames(samples))
        assert made.isfinite().all()

    def test_a_stage_that_needs_latents_says_so(self) -> None:
        stage = self.stage().eval()
        if stage.hears_text:
            assert self.decode_latents(stage, None, self.request()).isfinite().all()
            return
        with pytest.raises(RequestError) as refused:
            stage.decode(None, self.request())
        assert "\n" not in str(refused.value)

    def test_the_same_seeds_make_the_same_signal(self, trained: Trained) -> None:
        with nothing_drawn():
            first = self.decode(trained.stage)
        torch.manual_seed(3)
        assert torch.equal(self.decode(trained.stage), first)

    @torch.no_grad()
    def test_a_clip_is_made_alike_alone_and_in_a_batch(self, trained: Trained) -> None:
        stage = trained.stage
        together, latents = self.decode(stage), self.latents(stage)
        for place, prompt in enumerate(PROMPTS):
            one = None if latents is None else latents[place : place + 1]
            asked = self.request(1, prompts=[prompt], seeds=[self.request().seeds[place]])
            made = self.decode_latents(stage, one, asked)
            torch.testing.assert_close(made[0], together[place], atol=1e-3, rtol=1e-2)

    @torch.no_grad()
    def test_another_seed_or_another_text_makes_another_signal(self, trained: Trained) -> None:
        if not (stage := trained.stage).hears_text:
            return
        made = self.decode_latents(stage, None, self.request(1))
        seeded = self.decode_latents(stage, None, self.request(1, seeds=[99]))
        assert not torch.allclose(made, seeded), "all seeds of a text make the same signal"
        told = self.decode_latents(stage, None, self.request(1, prompts=[PROMPTS[1]]))
        assert not torch.allclose(made, told), "what it makes does not depend on the text"

    @torch.no_grad()
    def test_other_latents_make_another_signal(self, trained: Trained) -> None:
        if (latents := self.latents(trained.stage)) is None:
            return
        made, other = (
            self.decode_latents(trained.stage, latent, self.request())
            for latent in (latents, latents.roll(1, 0))
        )
        assert not torch.allclose(made, other), "what it makes does not depend on the latents"

    def test_guidance_is_taken(self, trained: Trained) -> None:
        made = self.decode(trained.stage, guidance=3.0)
        assert made.shape == self.decode(trained.stage).shape
        assert made.isfinite().all()

    @torch.no_grad()
    @pytest.mark.parametrize("window", [None, 300, 1])
    def test_pieces_make_what_is_made_whole(self, trained: Trained, window: int | None) -> None:
        stage = trained.stage
        for samples in (1, 701):
            asked = self.request(samples=samples, window=window)
            latents = self.latents(stage, samples)
            heard = torch.cat([*stage.stream(latents, asked)], -1)
            made = self.decode_latents(stage, latents, asked)
            assert heard.shape == made.shape == (3, *made.shape[1:])
            assert heard.shape[-1] == self.input_space.frames(samples)
            assert loudness(heard - made) <= 1e-3 * loudness(made)

    @torch.no_grad()
    def test_how_many_windows_are_made_together_changes_nothing(self, trained: Trained) -> None:
        stage, asked = trained.stage, self.request(window=700)
        latents = self.latents(stage)
        one, many = (
            self.decode_latents(stage, latents, replace(asked, together=count))
            for count in (1, 100)
        )
        torch.testing.assert_close(one, many, atol=1e-3, rtol=1e-2)

    @torch.no_grad()
    @pytest.mark.parametrize("window", [None, 700])
    def test_progress_is_reported_as_often_as_it_says(
        self, trained: Trained, window: int | None
    ) -> None:
        stage, reports = trained.stage, list[int]()
        asked = self.request(window=window, progress=lambda: reports.append(1))
        self.decode_latents(stage, self.latents(stage), asked)
        said = stage.nfe * stage.windows(asked)
        rule = f"a bar of {said} evaluations got {len(reports)} reports"
        if any(isinstance(value, Sampler) for value in vars(stage).values()) or said:
            assert 0.8 * said <= len(reports) <= 1.2 * said, f"{rule}; see Request.counted"

    @torch.no_grad()
    def test_making_changes_nothing_but_what_is_made(self, trained: Trained) -> None:
        stage = trained.stage
        state, latents = copy.deepcopy(stage.state_dict()), self.latents(stage)
        given = None if latents is None else latents.clone()
        stage.decode(latents, self.request())
        if latents is not None and given is not None:
            assert torch.equal(latents, given), "decode changes the latents that it is given"
        changed = unequal_tensors(stage.state_dict(), state)
        assert changed == [], "decode changes the stage itself"

    def test_guidance_changes_what_is_made_of_a_text(self, trained: Trained) -> None:
        if not trained.stage.hears_text:
            return
        with torch.no_grad():
            usual, insisting = (
                self.decode_latents(trained.stage, None, self.request(guidance=guidance))
                for guidance in (1.0, 3.0)
            )
        rule = "request.guidance changes nothing: follow it, or be excused as a stage without it"
        assert not torch.allclose(usual, insisting), rule
