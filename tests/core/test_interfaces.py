"""The twelve kinds, and what their pages promise of themselves."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mousai_kit.core.interfaces import (
    KINDS,
    Clip,
    Controls,
    Dataset,
    GenerationRequest,
    NoiseSource,
    PositionalNoise,
    Schedule,
    SignalSpace,
    TextEmbedding,
    UNet,
    VariedNoise,
)

SEEDS = st.lists(st.integers(-(2**65), 2**65), min_size=1, max_size=4)


class TestKinds:
    def test_there_are_twelve(self):
        assert list(KINDS) == [
            "text_encoder",
            "conditioner",
            "spectral_encoder",
            "unet",
            "schedule",
            "sampler",
            "domain",
            "stage",
            "dataset",
            "embedding",
            "metric",
            "weight_format",
        ]

    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_a_kind_is_built_with_options_and_its_wiring(self, kind):
        parameters = inspect.signature(kind.__init__).parameters.values()
        keywords = [it.name for it in parameters if it.kind is it.KEYWORD_ONLY]
        assert [it.name for it in parameters if it.kind is not it.KEYWORD_ONLY] == [
            "self",
            "options",
        ]
        assert tuple(keywords) == kind.build_kwargs

    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_a_kind_can_not_be_built_itself(self, kind):
        assert kind.__abstractmethods__

    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_what_learns_is_a_module(self, kind):
        learns = kind.kind not in ("schedule", "sampler", "dataset", "metric", "weight_format")
        assert issubclass(kind, nn.Module) == learns


class TestNoiseSource:
    @given(SEEDS)
    def test_the_same_seeds_give_the_same_noise(self, seeds):
        first, second = NoiseSource(seeds), NoiseSource(seeds)
        assert len(first) == len(seeds)
        assert torch.equal(first.normal(2, 3), second.normal(2, 3))
        assert torch.equal(first.uniform(), second.uniform())

    @given(SEEDS)
    def test_a_clips_noise_does_not_depend_on_the_others(self, seeds):
        together = NoiseSource(seeds).normal(2, 3)
        alone = [NoiseSource([seed]).normal(2, 3) for seed in seeds]
        assert torch.equal(together, torch.cat(alone))

    def test_noise_goes_on_and_does_not_repeat(self):
        source = NoiseSource([0])
        assert not torch.equal(source.normal(4), source.normal(4))

    def test_noise_is_standard_normal(self):
        x = NoiseSource([3]).normal(100_000)
        assert x.dtype == torch.float32
        assert x.mean().abs() < 0.02
        assert x.std().item() == pytest.approx(1, abs=0.02)

    def test_levels_are_uniform(self):
        levels = NoiseSource(range(5000)).uniform()
        assert levels.shape == (5000,)
        assert (levels.min() >= 0, levels.max() < 1) == (True, True)
        assert levels.mean().item() == pytest.approx(0.5, abs=0.02)
        assert levels.std().item() == pytest.approx(12**-0.5, abs=0.02)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
    def test_noise_like_a_signal_is_the_same_noise_in_its_type(self, dtype):
        x = torch.zeros(2, 3, 4, dtype=dtype)
        made = NoiseSource([1, 2]).like(x)
        assert torch.equal(made, NoiseSource([1, 2]).normal(3, 4).to(dtype))

    def test_noise_like_shapes_has_a_shape_only(self):
        made = NoiseSource([1, 2]).like(torch.zeros(2, 3, device="meta"))
        assert (made.shape, made.device.type) == ((2, 3), "meta")

    def test_seeds_beyond_63_bits_are_taken_around(self):
        assert torch.equal(NoiseSource([2**63 + 5]).normal(3), NoiseSource([5]).normal(3))


class TestPlacedNoise:
    @given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 2**63 - 1))
    def test_a_window_hears_what_the_whole_has_in_its_place(self, first, frames, seed):
        shape = (1000, 700)  # some ten blocks
        whole = PositionalNoise([(seed, 0)])
        window = PositionalNoise([(seed, first)])
        for _ in range(2):
            expected = whole.normal(*shape)[..., first : first + frames]
            assert torch.equal(window.normal(1000, frames), expected)

    @given(SEEDS)
    def test_a_clips_noise_does_not_depend_on_the_others(self, seeds):
        together = PositionalNoise([(seed, 5) for seed in seeds]).normal(2, 3)
        alone = [PositionalNoise([(seed, 5)]).normal(2, 3) for seed in seeds]
        assert torch.equal(together, torch.cat(alone))

    def test_seeds_draws_and_blocks_have_noise_of_their_own(self):
        source = PositionalNoise([(0, 0), (1, 0)])
        blocks = torch.cat([source.normal(2**12, 32), source.normal(2**12, 32)]).unflatten(
            2, (2, 16)
        )
        rows = blocks.transpose(1, 2).flatten(0, 1).flatten(1)
        alike = (rows @ rows.T / rows.shape[1] - torch.eye(8)).abs()
        assert alike.max() < 0.03

    def test_noise_is_standard_normal(self):
        x = PositionalNoise([(3, 10)]).normal(100_000)
        assert x.dtype == torch.float32
        assert x.mean().abs() < 0.02
        assert x.std().item() == pytest.approx(1, abs=0.02)

    def test_noise_like_a_signal_has_its_type_and_its_shape(self):
        x = torch.zeros(2, 3, 4, dtype=torch.bfloat16)
        made = PositionalNoise([(1, 0), (2, 0)]).like(x)
        assert torch.equal(made, PositionalNoise([(1, 0), (2, 0)]).normal(3, 4).bfloat16())


class TestSpace:
    @given(st.integers(0, 10**6), st.integers(1, 5000))
    def test_frames_cover_all_samples_and_no_more(self, samples, stride):
        frames = SignalSpace(2, stride, 48000).frames(samples)
        assert frames * stride >= samples
        assert (frames - 1) * stride < samples

    def test_audio_has_a_frame_per_sample(self):
        assert SignalSpace(2, 1, 48000).frames(12345) == 12345


class TestVariedNoise:
    def test_it_turns_from_its_own_to_the_other_and_stays_normal(self):
        def source(spread):
            sources = (PositionalNoise([(seed, 0)]) for seed in (1, 2))
            return VariedNoise(*sources, [spread])

        own, other = (PositionalNoise([(seed, 0)]).normal(100_000) for seed in (1, 2))
        assert torch.equal(source(0.0).normal(100_000), own)
        torch.testing.assert_close(source(1.0).normal(100_000), other, atol=1e-5, rtol=0)
        halfway = source(0.5).normal(100_000)
        torch.testing.assert_close(halfway, (own + other) / 2**0.5)
        assert halfway.std().item() == pytest.approx(1, abs=0.01)
        assert torch.equal(source(0.7).uniform(), PositionalNoise([(1, 0)]).uniform())
        assert len(source(0.7)) == 1

    def test_every_draw_is_another(self):
        noise = VariedNoise(PositionalNoise([(1, 0)]), PositionalNoise([(2, 0)]), [0.3])
        assert not torch.equal(noise.normal(9), noise.normal(9))


class TestRequest:
    def test_a_counted_velocity_reports_after_each_evaluation(self):
        log = []
        request = GenerationRequest(["a"], [0], 10, progress=lambda: log.append("reported"))
        velocity = request.count_evaluations(lambda x, sigma: log.append("ran") or x + sigma)
        assert velocity(1, 2) == 3
        assert velocity(3, 4) == 7
        assert log == ["ran", "reported"] * 2

    def test_nobody_to_report_to_leaves_the_velocity_as_it_is(self):
        def velocity(x, sigma):
            return x

        assert GenerationRequest(["a"], [0], 10).count_evaluations(velocity) is velocity

    def test_its_noise_is_fresh_every_time(self):
        request = GenerationRequest(["a", "b"], [4, 5], 10)
        assert torch.equal(request.noise().normal(3), request.noise().normal(3))
        assert torch.equal(request.noise().normal(3), PositionalNoise([(4, 0), (5, 0)]).normal(3))

    def test_windows_have_the_noise_of_their_places(self):
        noise = GenerationRequest(["a", "b"], [4, 5], 10).noise([0, 7]).normal(3, 10)
        whole = GenerationRequest(["a", "b"], [4, 5], 10).noise().normal(3, 17)
        assert torch.equal(noise, torch.cat([whole[..., :10], whole[..., 7:]]))

    def test_variations_are_the_seeds_own_noise_turned_to_another(self):
        near = Controls(variation=2, spread=0.3)
        request = GenerationRequest(["a", "b"], [4, 5], 10, controls=near)
        own, found = request.noise().normal(3, 9), request.varied_noise().normal(3, 9)
        assert torch.equal(found, request.varied_noise().normal(3, 9))
        others = GenerationRequest(["a", "b"], [4, 5], 10, controls=near, variations=[0, 2])
        assert torch.equal(others.varied_noise().normal(3, 9), torch.stack([own[0], found[1]]))
        assert not torch.equal(found[0], own[0])
        alone = GenerationRequest(["b"], [5], 10, controls=near).varied_noise().normal(3, 9)
        assert torch.equal(found[1:], alone)

    def test_windows_of_variations_have_the_noise_of_their_places(self):
        near = Controls(variation=2, spread=0.3)
        request = GenerationRequest(["a", "b"], [4, 5], 10, controls=near)
        whole = request.varied_noise().normal(3, 17)
        noise = request.varied_noise([0, 7]).normal(3, 10)
        assert torch.equal(noise, torch.cat([whole[..., :10], whole[..., 7:]]))

    def test_guidance_follows_the_prompt_as_learned_unless_asked_for(self):
        assert GenerationRequest(["a"], [0], 10).guidance == 1.0


class TestText:
    def test_texts_are_joined_in_order(self):
        first = TextEmbedding(torch.zeros(1, 2, 3), torch.tensor([[True, False]]))
        second = TextEmbedding(torch.ones(2, 2, 3), torch.ones(2, 2, dtype=torch.bool))
        joined = TextEmbedding.concatenate(first, second)
        assert len(joined) == 3
        assert joined.embedding[:, 0, 0].tolist() == [0, 1, 1]
        assert joined.mask.tolist() == [[True, False], [True, True], [True, True]]


class TestDefaults:
    def test_a_velocity_is_the_network_with_its_conditioning(self):
        class Told(UNet):
            def forward(self, x, sigma, *, context=None, text=None):
                return x, sigma, context, text

        network = Told(None, channels=1, context_channels=0, text_features=0)
        assert network.bind("context", "text")("x", "sigma") == ("x", "sigma", "context", "text")
        assert network.bind()("x", "sigma") == ("x", "sigma", None, None)

    @given(st.integers(1, 3000))
    def test_levels_fall_evenly_from_one_to_exactly_zero(self, steps):
        class Plain(Schedule):
            def weights(self, sigma):
                return 1 - sigma, sigma

        levels = Plain(None).levels(steps)
        assert (len(levels), levels[0], levels[-1]) == (steps + 1, 1, 0)
        torch.testing.assert_close(levels.diff(), torch.full((steps,), -1 / steps))

    def test_a_dataset_is_a_sequence_of_its_first_epochs_clips(self):
        class Counted(Dataset):
            def __len__(self):
                return 3

            def clip(self, index, epoch=0):
                return Clip(torch.zeros(1, 4), f"{index} of epoch {epoch}")

        dataset = Counted(None, sample_rate=8000, channels=1, length=4, split="train")
        texts = ["0 of epoch 0", "1 of epoch 0", "2 of epoch 0"]
        assert [clip.text for clip in dataset] == texts
        assert list(dataset.captions()) == texts
        assert dataset.skipped_files() == []
        for index in (-1, 3):
            with pytest.raises(IndexError):
                dataset[index]
