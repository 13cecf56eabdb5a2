"""The lower stage: what it learns from, what its latents are, and any length there and back."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

import mousai_kit.api as mk

WAVEFORM = {
    "domain": "waveform",
    "unet": {
        "use": "unet1d",
        "transform": {"filters": 4, "window": 8, "stride": 8},
        "channels": [8, 16],
        "factors": [1, 2],
        "blocks": [1, 1],
        "context_injections": [0, 1],
        "modulation_features": 16,
    },
}
FORMS = {"mdct": {}, "waveform": WAVEFORM, "envelope": {"envelope": {"channels": 8, "blocks": 1}}}


@pytest.fixture(params=FORMS)
def stage(request, build, specs, audio):
    return build(mk.Stage, specs["autoencoder"] | FORMS[request.param], input_space=audio)


@pytest.fixture
def plain(build, specs, audio):
    return build(mk.Stage, specs["autoencoder"], input_space=audio)


def music(clips=3, samples=100, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(clips, 2, samples, generator=generator)


def loss(stage, signal, *, seeds=None, condition="training"):
    seeds = range(len(signal)) if seeds is None else seeds
    noise = mk.NoiseSource(seeds)
    return stage.loss(signal, [""] * len(signal), noise=noise, condition=condition)


def request(seeds=(0,), samples=100, progress=None):
    return mk.GenerationRequest([""] * len(seeds), seeds, samples, progress=progress)


def heard(stage, signal, condition, monkeypatch):
    """Return the context that the network gets under a condition."""
    seen, bind = [], stage.unet.bind

    def spy(context=None, text=None, levels=None):
        seen.append((context, text))
        return bind(context, text, levels=levels)

    with monkeypatch.context() as patch:
        patch.setattr(stage.unet, "bind", spy)
        loss(stage, signal, condition=condition)
    ((context, text),) = seen
    assert text is None
    return context


class TestLoss:
    @pytest.mark.parametrize("samples", [1, 16, 100, 128])
    def test_every_clip_of_any_length_has_a_finite_loss(self, stage, samples):
        found = loss(stage, music(3, samples))
        assert found.shape == (3,)
        assert found.isfinite().all()

    def test_it_is_the_seeds_alone_that_are_random(self, stage):
        assert torch.equal(loss(stage, music()), loss(stage, music()))
        assert (loss(stage, music()) != loss(stage, music(), seeds=[3, 4, 5])).all()

    def test_a_clips_loss_does_not_depend_on_the_others(self, stage):
        together = loss(stage, music(), seeds=[5, 6, 7])
        alone = [loss(stage, clip, seeds=[5 + i]) for i, clip in enumerate(music().split(1))]
        torch.testing.assert_close(together, torch.cat(alone))

    def test_a_network_that_tells_the_exact_velocity_has_none(self, plain, monkeypatch):
        x = plain.domain(music(samples=128))

        def exact(context=None, text=None, levels=None):
            def velocity(noised, sigma):
                alpha, beta = (it[:, None, None] for it in plain.schedule.weights(sigma))
                return alpha * (noised - alpha * x) / beta - beta * x

            return velocity

        monkeypatch.setattr(plain.unet, "bind", exact)
        found = loss(plain, music(samples=128))
        torch.testing.assert_close(found, torch.zeros(3), atol=1e-6, rtol=0)

    def test_every_parameter_learns(self, stage):
        optimiser = torch.optim.Adam(stage.parameters(), lr=1e-3)
        for _ in range(3):
            optimiser.zero_grad()
            loss(stage, music()).mean().backward()
            optimiser.step()
        idle = [name for name, p in stage.named_parameters() if not p.grad.abs().sum() > 0]
        assert idle == []


class TestConditions:
    def test_the_right_one_is_the_clips_own_latent(self, plain, monkeypatch):
        for condition in ("training", "right"):
            context = heard(plain, music(samples=128), condition, monkeypatch)
            assert torch.equal(context, plain.encode(music(samples=128)))

    def test_the_other_one_is_the_next_clips(self, plain, monkeypatch):
        right = heard(plain, music(), "right", monkeypatch)
        assert torch.equal(heard(plain, music(), "other", monkeypatch), right[[1, 2, 0]])

    def test_none_is_a_latent_of_zeros(self, plain, monkeypatch):
        right = heard(plain, music(), "right", monkeypatch)
        assert torch.equal(heard(plain, music(), "none", monkeypatch), torch.zeros_like(right))

    def test_conditions_meet_the_same_noise(self, stage):
        """With equal clips the next one's latent is as good as one's own."""
        equal = music(1).expand(3, 2, 100)
        torch.testing.assert_close(
            loss(stage, equal, condition="other"), loss(stage, equal, condition="right")
        )

    def test_what_the_network_is_told_matters(self, stage):
        with torch.no_grad():
            for parameter in stage.parameters():  # what starts at zero hears nothing yet
                parameter.add_(0.05 * torch.randn_like(parameter))
        right, other, none = (
            loss(stage, music(), condition=it) for it in ("right", "other", "none")
        )
        assert (right != other).all()
        assert (right != none).all()


class TestThereAndBack:
    @pytest.mark.parametrize("samples", [1, 31, 32, 33, 100, 500])
    def test_any_length_has_its_latents_and_comes_back_at_its_length(self, stage, samples):
        latents = stage.encode(music(2, samples))
        assert latents.shape == (2, stage.latent_space.channels, stage.latent_space.frames(samples))
        made = stage.decode(latents, request((0, 1), samples))
        assert made.shape == (2, 2, samples)
        assert made.isfinite().all()

    def test_the_space_of_latents_is_the_encoders(self, stage, latents):
        assert stage.latent_space == latents

    def test_a_clip_is_encoded_alike_alone_and_in_a_batch(self, stage):
        alone = torch.cat([stage.encode(clip) for clip in music().split(1)])
        torch.testing.assert_close(stage.encode(music()), alone, atol=1e-5, rtol=1e-4)

    def test_silence_after_the_end_changes_no_latent(self, stage):
        padded = torch.nn.functional.pad(music(2, 100), (0, 28))
        torch.testing.assert_close(stage.encode(music(2, 100)), stage.encode(padded))

    @torch.no_grad()
    def test_a_clip_is_decoded_alike_alone_and_in_a_batch(self, stage):
        latents = stage.encode(music())
        together = stage.decode(latents, request((7, 8, 9)))
        alone = [
            stage.decode(latents[i : i + 1], request((seed,))) for i, seed in enumerate((7, 8, 9))
        ]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-3)
        assert not torch.allclose(together, stage.decode(latents, request((1, 2, 3))))

    @torch.no_grad()
    def test_the_last_latent_stands_for_what_lies_beyond_the_end(self, plain, monkeypatch):
        seen, bind = [], plain.unet.bind
        monkeypatch.setattr(
            plain.unet,
            "bind",
            lambda context, text, levels: seen.append(context) or bind(context, text),
        )
        latents = plain.encode(music(1, 90))
        assert (latents.shape[-1], plain.length_multiple // plain.latent_space.stride) == (3, 2)
        plain.decode(latents, request(samples=90))
        (context,) = seen
        assert torch.equal(context, latents[..., [0, 1, 2, 2]])

    @torch.no_grad()
    def test_every_evaluation_is_reported(self, stage):
        calls = []
        made = request(progress=lambda: calls.append(1))
        stage.decode(stage.encode(music(1)), made)
        assert len(calls) == stage.sampler.steps == 3

    def test_there_is_no_music_without_latents(self, stage):
        with pytest.raises(mk.RequestError) as raised:
            stage.decode(None, request())
        assert str(raised.value) == (
            "diffusion-autoencoder needs latents; a recipe that generates has a stage above it"
        )


class TestWindows:
    """A long clip is made in windows. Group norms see a window's statistics, which is what differs
    from making it whole; the seams, which must add nothing to that, are looked at on their own."""

    LENGTH = 15_000

    @pytest.fixture(params=[*FORMS, "fresh noise"])
    def stage(self, request, build, specs, audio):
        fresh = {"sampler": {"use": "ddim", "steps": 3, "eta": 1.0}}
        form = FORMS.get(request.param, fresh)
        stage = build(mk.Stage, specs["autoencoder"] | form, input_space=audio).requires_grad_(
            False
        )
        for parameter in stage.parameters():  # what starts at zero hears nothing yet
            parameter.add_(0.05 * torch.randn_like(parameter))
        return stage

    def decoded(self, stage, window, *, seeds=(1, 2), together=1):
        order = mk.GenerationRequest(["", ""], seeds, self.LENGTH, window=window, together=together)
        return torch.cat([*stage.stream(stage.encode(music(2, self.LENGTH)), order)], -1)

    def seams(self, stage, window):
        """Return where windows overlap [t]."""
        found = torch.zeros(self.LENGTH, dtype=torch.bool)
        made = stage._windows(mk.GenerationRequest([""], [0], self.LENGTH, window=window))
        for before, after in pairwise(made):
            found[after.start * stage.length_multiple : before.stop * stage.length_multiple] = True
        return found

    def test_what_fits_a_window_is_what_it_is_without(self, stage):
        whole = self.decoded(stage, None)
        assert torch.equal(self.decoded(stage, self.LENGTH), whole)
        assert torch.equal(self.decoded(stage, 10**9), whole)

    def test_windows_make_nearly_what_is_made_whole(self, stage):
        whole = self.decoded(stage, None)
        for window, bound in [(1280, 0.15), (5120, 0.06)]:
            assert size(self.decoded(stage, window) - whole) < bound * size(whole)
        other = self.decoded(stage, None, seeds=(3, 4))
        assert size(other - whole) > 0.9 * size(whole)

    @pytest.mark.parametrize("window", [1280, 5120])
    def test_seams_are_as_near_to_what_is_made_whole_as_all_else(self, stage, window):
        wrong = self.decoded(stage, window) - self.decoded(stage, None)
        seams = self.seams(stage, window)
        assert size(wrong[..., seams]) < 1.25 * size(wrong[..., ~seams])
        jumps = wrong.diff(dim=-1)
        assert size(jumps[..., seams[1:]]) < 1.25 * size(jumps[..., ~seams[1:]])

    def test_how_many_windows_are_made_together_changes_nothing(self, stage):
        alone = self.decoded(stage, 1280)
        for together in (2, 100):
            torch.testing.assert_close(
                self.decoded(stage, 1280, together=together), alone, atol=1e-4, rtol=1e-3
            )

    def test_pieces_come_window_by_window(self, stage):
        order = mk.GenerationRequest([""], [1], self.LENGTH, window=1280)
        calls = []
        order = replace(order, progress=lambda: calls.append(1))
        pieces = stage.stream(stage.encode(music(1, self.LENGTH)), order)
        lengths, evaluations = [], []
        for piece in pieces:
            lengths.append(piece.shape[-1])
            evaluations.append(len(calls))
        steps, count = stage.sampler.steps, stage.windows(order)
        assert (sum(lengths), len(lengths)) == (self.LENGTH, count)
        assert max(lengths) <= 1280
        assert evaluations == [*range(2 * steps, steps * count + 1, steps), steps * count]

    def test_a_window_is_never_shorter_than_two_units_of_the_network(self, stage):
        latents = stage.encode(music(1, 300))
        least, shortest = (
            stage.decode(latents, mk.GenerationRequest([""], [0], 300, window=window))
            for window in (1, 2 * stage.length_multiple)
        )
        assert least.shape == (1, 2, 300)
        assert torch.equal(least, shortest)


def size(x):
    """Return the root mean square."""
    return x.square().mean().sqrt().item()


class TestState:
    @torch.no_grad()
    def test_all_that_it_knows_is_in_its_state(self, stage, build, specs, audio, request):
        stage.fit_statistics([music() * 3], [])
        form = request.node.callspec.params["stage"]
        fresh = build(mk.Stage, specs["autoencoder"] | FORMS[form], seed=1, input_space=audio)
        fresh.load_state_dict(stage.state_dict())
        latents = stage.encode(music(1))
        order = mk.GenerationRequest([""], [0], 100)
        assert torch.equal(fresh.encode(music(1)), latents)
        assert torch.equal(fresh.decode(latents, order), stage.decode(latents, order))

    def test_its_domain_is_measured_before_training(self, plain):
        before = plain.domain.scale.clone()
        plain.fit_statistics(music().split(1), [])
        assert (plain.domain.scale != before).all()


def test_it_stands_on_audio_only(build, specs, latents):
    with pytest.raises(mk.PluginError) as raised:
        build(mk.Stage, specs["autoencoder"], input_space=latents)
    assert str(raised.value) == "diffusion-autoencoder encodes audio: it must be the lowest stage"


def test_its_parts_are_the_papers_unless_a_recipe_says_otherwise(build, audio):
    stage = build(mk.Stage, "diffusion-autoencoder", input_space=audio, device="meta")
    parts = (stage.domain, stage.encoder, stage.unet, stage.schedule, stage.sampler)
    assert [it.name for it in parts] == ["waveform", "magnitude", "unet1d", "cosine", "ddim"]
    assert stage.latent_space == mk.SignalSpace(channels=32, stride=1024, sample_rate=8000)
    assert stage.sampler.steps == 50
