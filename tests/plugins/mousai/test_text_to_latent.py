"""The upper stage: which text it learns from, how it normalises latents, and how it is guided."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit.core.component import resolve_slot
from mousai_kit.core.plugins import installed_registry

CAPTIONS = ["egyptian drums", "orbital synth, electronic", "metal guitar"]


@pytest.fixture
def make(build, specs, latents):
    def made(*, seed=0, **changes):
        stage = build(mk.Stage, specs["generator"] | changes, seed=seed, input_space=latents)
        stage.text.fit_statistics(CAPTIONS)
        return stage

    return made


@pytest.fixture
def stage(make):
    return make()


def signal(clips=3, frames=6, seed=0):
    return torch.randn(clips, 4, frames, generator=torch.Generator().manual_seed(seed))


def loss(stage, latents, prompts=CAPTIONS, *, seeds=(0, 1, 2), condition="training"):
    return stage.loss(latents, prompts, noise=mk.NoiseSource(seeds), condition=condition)


def request(prompts=CAPTIONS, seeds=(0, 1, 2), samples=200, **more):
    return mk.GenerationRequest(prompts, seeds, samples, **more)


@pytest.fixture
def heard(monkeypatch):
    """Return a function that calls a stage and returns the one text that its network was given."""

    def listen(stage, call):
        seen, bind = [], stage.unet.bind

        def spy(context=None, text=None, levels=None):
            seen.append((context, text))
            return bind(context, text, levels=levels)

        with monkeypatch.context() as patch:
            patch.setattr(stage.unet, "bind", spy)
            call()
        ((context, text),) = seen
        assert context is None
        return text

    return listen


def assert_same(text, expected):
    torch.testing.assert_close(text.embedding, expected.embedding)
    assert torch.equal(text.mask, expected.mask)


class TestLoss:
    @pytest.mark.parametrize("frames", [1, 2, 7, 8])
    def test_every_clip_of_any_length_has_a_finite_loss(self, stage, frames):
        found = loss(stage, signal(frames=frames))
        assert found.shape == (3,)
        assert found.isfinite().all()

    def test_it_is_the_seeds_alone_that_are_random(self, stage):
        assert torch.equal(loss(stage, signal()), loss(stage, signal()))
        assert (loss(stage, signal()) != loss(stage, signal(), seeds=[3, 4, 5])).all()

    @pytest.mark.parametrize("condition", ["training", "right", "none"])
    def test_a_clips_loss_does_not_depend_on_the_others(self, make, condition):
        stage = make(text_dropout=0.5)
        together = loss(stage, signal(), seeds=range(3), condition=condition)
        alone = [
            loss(stage, latents, CAPTIONS[i : i + 1], seeds=[i], condition=condition)
            for i, latents in enumerate(signal().split(1))
        ]
        torch.testing.assert_close(together, torch.cat(alone))

    def test_a_network_that_tells_the_exact_velocity_has_none(self, stage, monkeypatch):
        def exact(context=None, text=None, levels=None):
            def velocity(x, sigma):
                alpha, beta = (it[:, None, None] for it in stage.schedule.weights(sigma))
                noise = (x - alpha * signal()) / beta
                return alpha * noise - beta * signal()

            return velocity

        monkeypatch.setattr(stage.unet, "bind", exact)
        torch.testing.assert_close(loss(stage, signal()), torch.zeros(3), atol=1e-6, rtol=0)

    def test_levels_are_uniform_and_noise_is_normal(self, stage, monkeypatch):
        seen = []

        def bind(context=None, text=None, levels=None):
            return lambda x, sigma: seen.append((x, sigma)) or x

        monkeypatch.setattr(stage.unet, "bind", bind)
        loss(stage, torch.zeros(1000, 4, 6), ["drums"] * 1000, seeds=range(1000))
        ((x, sigma),) = seen
        torch.testing.assert_close(
            sigma.sort().values, torch.linspace(0, 1, 1000), atol=0.06, rtol=0
        )
        noise = x / stage.schedule.weights(sigma)[1][:, None, None]
        assert noise.mean().item() == pytest.approx(0, abs=0.03)
        assert noise.std().item() == pytest.approx(1, abs=0.03)

    def test_every_parameter_learns(self, make):
        stage = make(text_dropout=0.5)
        sum(loss(stage, signal(), condition=it).mean() for it in ("right", "none")).backward()
        learned = {name: p for name, p in stage.named_parameters() if p.requires_grad}
        idle = [name for name, p in learned.items() if not p.grad.abs().sum() > 0]
        assert idle == []
        assert "null" in learned
        assert any(name.startswith("text.") for name in learned)


class TestConditions:
    def test_the_right_one_is_the_clips_own_text(self, stage, heard):
        text = heard(stage, lambda: loss(stage, signal(), condition="right"))
        assert_same(text, stage.text(CAPTIONS))

    def test_the_other_one_is_the_next_clips(self, stage, heard):
        text = heard(stage, lambda: loss(stage, signal(), condition="other"))
        assert_same(text, stage.text([*CAPTIONS[1:], CAPTIONS[0]]))

    def test_none_is_the_null_embedding_all_of_it_real(self, stage, heard):
        text = heard(stage, lambda: loss(stage, signal(), condition="none"))
        null = mk.TextEmbedding(stage.null.expand(3, -1, -1), torch.ones(3, 8, dtype=torch.bool))
        assert_same(text, null)

    def test_conditions_meet_the_same_noise(self, stage):
        same = ["metal"] * 3
        right, other = (loss(stage, signal(), same, condition=it) for it in ("right", "other"))
        assert torch.equal(right, other)

    def test_what_the_network_is_told_matters(self, stage):
        right, other, none = (
            loss(stage, signal(), condition=it) for it in ("right", "other", "none")
        )
        assert (right != other).all()
        assert (right != none).all()


class TestDrop:
    def test_a_text_that_is_always_dropped_has_no_influence(self, make, heard):
        stage = make(text_dropout=1.0)
        prompts = ["anything", "", "metal"]
        assert torch.equal(loss(stage, signal()), loss(stage, signal(), prompts))
        text = heard(stage, lambda: loss(stage, signal()))
        assert_same(text, heard(stage, lambda: loss(stage, signal(), condition="none")))

    def test_a_text_that_is_never_dropped_is_always_heard(self, make, heard):
        stage = make(text_dropout=0.0)
        text = heard(stage, lambda: loss(stage, signal()))
        assert_same(text, stage.text(CAPTIONS))

    def test_texts_are_dropped_as_often_as_asked_each_by_its_own_seed(self, make, heard):
        stage, clips = make(text_dropout=0.1), 1000

        def dropped(seeds):
            def call():
                loss(stage, signal(len(seeds), 2), ["drums"] * len(seeds), seeds=seeds)

            embedding = heard(stage, call).embedding
            return (embedding == stage.null).flatten(1).all(1)

        found = dropped(range(clips))
        assert 0.07 < found.float().mean().item() < 0.13
        assert torch.equal(dropped(range(50, 60)), found[50:60])

    def test_a_text_is_dropped_one_time_in_ten_unless_a_recipe_says_otherwise(self, stage):
        assert stage.text_dropout == 0.1

    @pytest.mark.parametrize("drop", [-0.1, 1.1])
    def test_a_share_out_of_range_is_refused(self, stage, drop):
        with pytest.raises(ValidationError):
            stage.Options(text_dropout=drop)


class TestStatistics:
    def test_the_mean_and_deviation_of_each_channel_are_measured(self, stage):
        deviations = torch.tensor([0.5, 1.0, 2.0, 4.0])[:, None]
        waves = [3 * deviations + deviations * signal(5, 40, seed) for seed in range(3)]
        stage.fit_statistics(iter(waves), CAPTIONS)
        frames = torch.cat(waves).transpose(0, 1).flatten(1)
        torch.testing.assert_close(stage.mean[:, 0], frames.mean(1))
        torch.testing.assert_close(stage.deviation[:, 0], frames.std(1, correction=0))

    def test_all_channels_may_share_a_deviation(self, build, specs, latents):
        stage = build(mk.Stage, {**specs["generator"], "normalise": "all"}, input_space=latents)
        deviations = torch.tensor([0.5, 1.0, 2.0, 4.0])[:, None]
        stage.fit_statistics([3 * deviations + deviations * signal(5, 400)], CAPTIONS)
        shared = deviations.square().mean().sqrt().expand(4, 1)
        torch.testing.assert_close(stage.deviation, shared, rtol=0.05, atol=0)
        assert len(set(stage.deviation.flatten().tolist())) == 1
        torch.testing.assert_close(stage.mean, 3 * deviations, rtol=0, atol=0.3)

    def test_the_network_learns_normalised_latents(self, stage):
        normalised = loss(stage, signal())
        mean, deviation = (
            torch.tensor([[-3.0], [0], [1], [10]]),
            torch.tensor([[0.1], [1], [2], [5]]),
        )
        stage.mean.copy_(mean)
        stage.deviation.copy_(deviation)
        torch.testing.assert_close(
            loss(stage, signal() * deviation + mean), normalised, rtol=1e-4, atol=1e-4
        )

    @torch.no_grad()
    def test_what_it_makes_has_the_measured_mean_and_deviation(self, stage, make):
        mean, deviation = (
            torch.tensor([[-3.0], [0], [1], [10]]),
            torch.tensor([[0.1], [1], [2], [5]]),
        )
        normalised = stage.decode(None, request())
        stage.mean.copy_(mean)
        stage.deviation.copy_(deviation)
        torch.testing.assert_close(stage.decode(None, request()), normalised * deviation + mean)

    @pytest.mark.parametrize("constant", [signal(1, 1), signal(1, 1).expand(3, 4, 6)])
    def test_latents_that_never_change_leave_a_usable_deviation(self, stage, constant):
        stage.fit_statistics([constant], CAPTIONS)
        assert torch.equal(stage.deviation, torch.full((4, 1), 1e-4))
        assert loss(stage, signal()).isfinite().all()

    def test_the_vocabulary_is_learned_with_them(self, build, specs, latents):
        stage = build(mk.Stage, specs["generator"], input_space=latents)
        with pytest.raises(mk.WeightsError):
            loss(stage, signal())
        stage.fit_statistics([signal()], CAPTIONS)
        assert loss(stage, signal()).isfinite().all()


class TestDecode:
    @pytest.mark.parametrize("samples", [1, 32, 33, 200, 500])
    def test_any_length_can_be_made(self, stage, latents, samples):
        made = stage.decode(None, request(samples=samples))
        assert made.shape == (3, 4, latents.frames(samples))
        assert made.isfinite().all()

    @torch.no_grad()
    @pytest.mark.parametrize("guidance", [1.0, 3.0])
    def test_a_clip_is_made_alike_alone_and_in_a_batch(self, stage, guidance):
        together = stage.decode(None, request(guidance=guidance))
        alone = [
            stage.decode(None, request([prompt], [seed], guidance=guidance))
            for seed, prompt in enumerate(CAPTIONS)
        ]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-3)

    @torch.no_grad()
    def test_another_seed_or_another_prompt_is_another_clip(self, stage):
        first = stage.decode(None, request(["drums"], [0]))
        assert not torch.allclose(first, stage.decode(None, request(["drums"], [1])))
        assert not torch.allclose(first, stage.decode(None, request(["metal guitar"], [0])))

    @torch.no_grad()
    def test_guidance_of_one_runs_the_network_once_and_is_unguided(self, stage, monkeypatch):
        sizes = self._sizes(stage, monkeypatch)
        made = stage.decode(None, request(guidance=1.0))
        assert sizes == [3, 3, 3]
        source = mk.PositionalNoise([(0, 0), (1, 0), (2, 0)])
        velocity = stage.unet.bind(None, stage.text(CAPTIONS))
        expected = stage.sampler.sample(velocity, source.normal(4, 8))[..., :7]
        torch.testing.assert_close(made, expected)

    @torch.no_grad()
    def test_guidance_runs_both_halves_in_one_batch(self, stage, monkeypatch):
        sizes = self._sizes(stage, monkeypatch)
        guided = stage.decode(None, request(guidance=3.0))
        assert sizes == [6, 6, 6]
        assert not torch.allclose(guided, stage.decode(None, request(guidance=1.0)))

    @torch.no_grad()
    def test_guidance_of_zero_is_deaf_to_the_prompt(self, stage):
        first, second = (
            stage.decode(None, request([prompt], [0], guidance=0.0)) for prompt in ("drums", "x")
        )
        torch.testing.assert_close(first, second)

    @torch.no_grad()
    def test_every_evaluation_is_reported_once(self, stage):
        calls = []
        stage.decode(None, request(guidance=3.0, progress=lambda: calls.append(1)))
        assert len(calls) == stage.sampler.steps == 3

    @staticmethod
    def _sizes(stage, monkeypatch):
        """Return a list that fills with the batch sizes of the network's evaluations."""
        sizes, bind = [], stage.unet.bind

        def spy(context=None, text=None, levels=None):
            velocity = bind(context, text, levels=levels)

            def counting(x, sigma):
                sizes.append(len(x))
                return velocity(x, sigma)

            return counting

        monkeypatch.setattr(stage.unet, "bind", spy)
        return sizes


class TestControls:
    ASKED = (
        {"negative": "flute"},
        {"guidance_rescale": 1.0},
        {"guidance_interval": [0.3, 0.8]},
        {"guidance_schedule": "linear"},
        {"blend": "flute"},
        {"blend": "flute", "blend_at": 0.4},
        {"variation": 2, "spread": 0.5},
    )

    @staticmethod
    def _request(prompts=CAPTIONS, seeds=(0, 1, 2), *, more=None, **controls):
        return request(
            prompts, seeds, guidance=3.0, controls=mk.Controls(**controls), **(more or {})
        )

    @torch.no_grad()
    @pytest.mark.parametrize("controls", ASKED)
    def test_each_makes_another_clip_alike_alone_and_in_a_batch(self, make, controls):
        stage = make(sampler={"use": "ddim", "steps": 5})
        together = stage.decode(None, self._request(**controls))
        alone = [
            stage.decode(None, self._request([prompt], [seed], **controls))
            for seed, prompt in enumerate(CAPTIONS)
        ]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-3)
        plain = stage.decode(None, self._request())
        assert not torch.allclose(together, plain, atol=1e-4, rtol=1e-3)

    def test_there_are_no_others(self, stage):
        assert {name for asked in self.ASKED for name in asked} == set(stage.controls) - set(
            mk.EDITING
        )

    @torch.no_grad()
    @pytest.mark.parametrize("sampler", ["ddim", "dpmpp-2m", "heun", "dpmpp-2m-sde", "angle-2m"])
    def test_every_sampler_takes_them_all_and_reports_as_without(self, make, sampler):
        stage = make(sampler=sampler if sampler == "ddim" else {"use": sampler, "steps": 6})
        counts = []
        for controls in ({}, dict(item for asked in self.ASKED for item in asked.items())):
            ticks = []
            more = {"progress": lambda ticks=ticks: ticks.append(1)}
            made = stage.decode(None, self._request(more=more, **controls))
            assert made.isfinite().all()
            counts.append(len(ticks))
        assert counts[0] == counts[1]

    @torch.no_grad()
    def test_a_negative_prompt_that_is_the_prompt_leaves_it_alone(self, stage):
        same = stage.decode(None, self._request(["drums"], [0], negative="drums"))
        plain = stage.decode(None, request(["drums"], [0], guidance=1.0))
        torch.testing.assert_close(same, plain, atol=1e-4, rtol=1e-3)

    @torch.no_grad()
    def test_a_blend_at_either_end_is_the_one_text(self, stage):
        def made(prompt, **controls):
            return stage.decode(None, self._request([prompt], [0], **controls))

        for at, prompt in [(0.0, "drums"), (1.0, "flute")]:
            blended = made("drums", blend="flute", blend_at=at)
            torch.testing.assert_close(blended, made(prompt), atol=1e-4, rtol=1e-3)

    @torch.no_grad()
    def test_an_interval_saves_the_other_half_where_it_does_not_act(self, stage, monkeypatch):
        sizes = TestDecode._sizes(stage, monkeypatch)  # levels 1, 2/3 and 1/3
        stage.decode(None, self._request(guidance_interval=[0.5, 0.9]))
        assert sizes == [3, 6, 3]

    @torch.no_grad()
    def test_variations_differ_from_each_other_and_are_nearer_the_nearer_the_spread(self, stage):
        def made(number, spread):
            asked = self._request(["drums"], [0], variation=number, spread=spread)
            return stage.decode(None, asked)

        own = made(0, 0.5)
        assert torch.equal(own, made(3, 0.0))
        assert not torch.allclose(made(1, 0.5), made(2, 0.5))
        far = [(made(1, spread) - own).square().mean() for spread in (0.0, 0.1, 0.3, 0.6, 1.0)]
        assert far == sorted(far)


@torch.no_grad()
def test_all_that_it_knows_is_in_its_state(stage, make, build, specs, latents):
    stage.fit_statistics([3 + 2 * signal()], CAPTIONS)
    fresh = build(mk.Stage, specs["generator"], seed=1, input_space=latents)
    fresh.load_state_dict(stage.state_dict())
    assert torch.equal(stage.decode(None, request()), fresh.decode(None, request()))


def test_it_encodes_nothing(stage):
    assert stage.latent_space is None
    with pytest.raises(mk.RequestError) as raised:
        stage.encode(signal())
    assert str(raised.value) == "text-to-latent makes latents from text and encodes nothing"


def test_its_text_encoder_is_made_ready_before_training(stage, monkeypatch):
    calls = []
    monkeypatch.setattr(stage.text, "download", lambda: calls.append(1))
    stage.download()
    assert calls == [1]


def test_its_parts_are_the_papers_unless_a_recipe_says_otherwise():
    options = resolve_slot(mk.Stage, "text-to-latent", {"registry": installed_registry()}).options
    parts = (options.text, options.unet, options.schedule, options.sampler)
    assert [it.component.name for it in parts] == ["t5", "unet1d", "cosine", "ddim"]
    assert options.text_dropout == 0.1
