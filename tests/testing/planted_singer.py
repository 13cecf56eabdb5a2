"""Stages that follow a text, with a bug each: their docstrings say which."""

from dataclasses import replace

import torch
from planted_suites import suites
from torch import nn

import mousai_kit.api as mk
from mousai_kit.testing import StageContract

BELOW = mk.SignalSpace(channels=4, stride=32, sample_rate=8000)


class Network(nn.Module):
    """Three convolutions that hear a text's vector and the level."""

    def __init__(self, channels, features):
        super().__init__()
        self.enter = nn.Conv1d(channels, 32, 5, padding=2)
        self.told = nn.Linear(features + 1, 32)
        self.inner = nn.Conv1d(32, 32, 5, padding=2)
        self.leave = nn.Conv1d(32, channels, 5, padding=2)

    def forward(self, x, sigma, text):
        told = self.told(torch.cat([text, sigma[:, None]], 1))[:, :, None]
        x = nn.functional.silu(self.enter(x) + told)
        return self.leave(nn.functional.silu(self.inner(x) + told))


class Singer(mk.Stage):
    """Diffusion that follows the bytes of a text."""

    name = "singer"

    class Options(mk.Options):
        """Options of `stage: singer`."""

        schedule: mk.Use[mk.Schedule] = mk.default("cosine")
        sampler: mk.Use[mk.Sampler] = mk.default({"use": "ddim", "steps": 2})

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.input_space, self.latent_space = input_space, None
        self.letters, self.text_features = nn.EmbeddingBag(256, 8), 8
        self.network = Network(input_space.channels, 8)
        self.schedule = options.schedule.build()
        self.sampler = options.sampler.build(schedule=self.schedule)

    def text(self, prompts):
        ids = [torch.tensor(list(prompt.encode()) or [0]) for prompt in prompts]
        starts = torch.tensor([0, *(len(it) for it in ids[:-1])]).cumsum(0)
        device = self.letters.weight.device
        return self.letters(torch.cat(ids).to(device), starts.to(device))

    def loss(self, signal, prompts, *, noise, condition="training"):
        found = self.denoising(signal, prompts, noise=noise, condition=condition)
        sigma, white = noise.uniform().to(signal), noise.like(signal)
        alpha, beta = (weight[:, None, None] for weight in self.schedule.weights(sigma))
        v = found.velocity(alpha * signal + beta * white, sigma)
        return (v.float() - (alpha * white - beta * signal)).square().mean((1, 2))

    def denoising(
        self,
        signal,
        prompts,
        *,
        noise,
        condition="training",
        guidance=None,
        text_shift=None,
        extras=None,
    ):
        text, null = self.text(self.said(prompts, condition)), self.text([""] * len(prompts))
        text = text if text_shift is None else text + text_shift

        def velocity(x, sigma):
            v = self.network(x, sigma, text)
            if guidance is None:
                return v
            return torch.lerp(self.network(x, sigma, null), v, guidance[:, None, None])

        return mk.Denoising(signal, velocity, self.schedule)

    def replace_sampler(self, sampler):
        self.sampler = sampler.build(schedule=self.schedule)

    def said(self, prompts, condition):
        if condition == "other":
            return [*prompts[1:], prompts[0]]
        return [""] * len(prompts) if condition == "none" else prompts

    def encode(self, signal):
        raise mk.RequestError("singer encodes nothing")

    def decode(self, latents, request):
        text, null = self.text(request.prompts), self.text([""] * len(request.prompts))

        def guided(x, sigma):
            told, untold = (self.network(x, sigma, it) for it in (text, null))
            return torch.lerp(untold, told, request.guidance)

        velocity = request.count_evaluations(guided)
        noise = self.noise(request).normal(
            self.input_space.channels, self.input_space.frames(request.samples)
        )
        return self.sampler.sample(velocity, noise, generator=request.noise())

    def noise(self, request):
        return request.noise()


class LearnsItsSignals(Singer):
    """What it denoises carries a gradient, so that its targets would learn, too."""

    breaks = "test_a_batch_to_denoise_is_its_clips_and_a_velocity"

    def denoising(self, signal, prompts, **how):
        found = super().denoising(signal, prompts, **how)
        return replace(found, signal=signal + 0 * self.network.leave.bias.sum())


class GuidedByOne(Singer):
    """It is guided by the first scale alone."""

    breaks = "test_guidance_of_one_is_no_guidance"

    def denoising(self, signal, prompts, *, guidance=None, **how):
        one = None if guidance is None else guidance[:1].expand(len(prompts))
        return super().denoising(signal, prompts, guidance=one, **how)


class ShiftUnheard(Singer):
    """It forgets a shift of its text."""

    breaks = "test_a_texts_tokens_are_shifted"

    def denoising(self, signal, prompts, *, text_shift=None, **how):
        return super().denoising(signal, prompts, **how)


class KeepsItsSampler(Singer):
    """It goes on with its own sampler."""

    breaks = "test_it_generates_with_a_sampler_that_replaces_its_own"

    def replace_sampler(self, sampler):
        self.other = sampler.build(schedule=self.schedule)


class NoneUnknown(Singer):
    """It was never told nothing."""

    breaks = "test_signals_of_any_length_have_a_finite_loss_each"

    def said(self, prompts, condition):
        return {"training": prompts, "right": prompts, "other": prompts[::-1]}[condition]


class NoiseOfItsOwn(Singer):
    """Its noise is torch's."""

    breaks = "test_the_same_noise_gives_the_same_loss"

    def loss(self, signal, prompts, *, noise, condition="training"):
        noise = mk.NoiseSource(torch.randint(9999, (len(prompts),)).tolist())
        return super().loss(signal, prompts, noise=noise, condition=condition)


class OneLevel(Singer):
    """All clips of a batch have the first one's level."""

    breaks = "test_a_clips_loss_does_not_depend_on_the_others"

    def loss(self, signal, prompts, *, noise, condition="training"):
        class First(mk.NoiseSource):
            def uniform(self):
                drawn = super().uniform()
                return drawn[:1].expand(len(drawn))

        first = First([])
        first._generators = noise._generators
        return super().loss(signal, prompts, noise=first, condition=condition)


class Reversed(Singer):
    """It tells clips the texts of the batch in reverse where it should tell the next one's."""

    breaks = "test_the_other_condition_is_the_next_clips"

    def said(self, prompts, condition):
        return prompts[::-1] if condition == "other" else super().said(prompts, condition)


class TextIgnored(Singer):
    """It learns without the text."""

    breaks = "test_it_hears_its_condition"

    def text(self, prompts):
        return 0 * super().text(prompts)


class Encoding(Singer):
    """It encodes, though nothing can stand above it."""

    breaks = "test_any_length_has_its_latents"

    def encode(self, signal):
        return signal


class SpaceOfFourSamples(Singer):
    """It makes four frames at least."""

    breaks = "test_any_length_can_be_made"

    def decode(self, latents, request):
        least = mk.GenerationRequest(request.prompts, request.seeds, max(request.samples, 4 * 32))
        return super().decode(latents, least)


class FreshNoise(Singer):
    """The same seed makes another signal every time."""

    breaks = "test_the_same_seeds_make_the_same_signal"

    def noise(self, request):
        return mk.NoiseSource([torch.seed() for _ in request.seeds])


class FirstSeed(Singer):
    """All clips of a batch have the first one's seed."""

    breaks = "test_a_clip_is_made_alike_alone_and_in_a_batch"

    def noise(self, request):
        return mk.NoiseSource(request.seeds[:1] * len(request.seeds))


class SeedIgnored(Singer):
    """Every seed makes the same signal."""

    breaks = "test_another_seed_or_another_text_makes_another_signal"

    def noise(self, request):
        return mk.NoiseSource([0] * len(request.seeds))


class GuidedTwice(Singer):
    """With guidance it makes a clip of each half."""

    breaks = "test_guidance_is_taken"

    def decode(self, latents, request):
        made = super().decode(latents, request)
        return made if request.guidance == 1 else torch.cat([made, made])


class Unguided(Singer):
    """It makes the same with any guidance."""

    breaks = "test_guidance_changes_what_is_made_of_a_text"

    def decode(self, latents, request):
        return super().decode(latents, replace(request, guidance=1.0))


class Words(mk.TextEncoder):
    """A text encoder that must be told its words."""

    name = "words"

    def __init__(self, options):
        super().__init__(options)
        self.features, self.tokens = 8, 1

    def forward(self, prompts):
        raise NotImplementedError


class UnpreparedEncoder(Singer):
    """It never tells its text encoder the captions."""

    breaks = "test_its_text_encoder_is_made_ready_and_prepared"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.words = Words(mk.Options())

    def download(self):
        self.words.download()


class Unreported(Singer):
    """It reports no evaluation."""

    breaks = "test_progress_is_reported_as_often_as_it_says"

    def decode(self, latents, request):
        return super().decode(
            latents, mk.GenerationRequest(request.prompts, request.seeds, request.samples)
        )


class ReportedTwice(Singer):
    """It reports each evaluation twice."""

    breaks = "test_progress_is_reported_as_often_as_it_says"

    def decode(self, latents, request):
        made = super().decode(latents, request)
        if request.progress is not None:
            super().decode(latents, request)
        return made


class SamplerHidden(Singer):
    """Its sampler is where its steps are not counted."""

    breaks = "test_progress_is_reported_as_often_as_it_says"
    nfe = 0


class WritesItsWeights(Singer):
    """Making music changes its weights."""

    breaks = "test_making_changes_nothing_but_what_is_made"

    def decode(self, latents, request):
        made = super().decode(latents, request)
        if request.progress is None and len(request.seeds) == 3:
            self.letters.weight.data[200] += 1.0  # no prompt has this byte
        return made


globals().update(suites(StageContract, Singer, input_space=BELOW))
