"""Stages that encode, with a bug each: their docstrings say which."""

import torch
from planted_suites import suites
from torch import nn
from torch.nn.functional import pad

import mousai_kit.api as mk
from mousai_kit.testing import StageContract


class Coder(mk.Stage):
    """Autoencoder without diffusion: one strided convolution down, one up."""

    name = "coder"
    stride = 16

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.input_space = input_space
        self.latent_space = mk.SignalSpace(
            8, input_space.stride * self.stride, input_space.sample_rate
        )
        self.down = nn.Conv1d(input_space.channels, 8, self.stride, stride=self.stride)
        self.up = nn.ConvTranspose1d(8, input_space.channels, self.stride, stride=self.stride)
        self.register_buffer("scale", torch.ones(()))

    def fit_statistics(self, signals, captions):
        power = torch.stack([signal.square().mean() for signal in signals]).mean()
        self.scale.copy_(power.sqrt().clamp(min=1e-4))

    def loss(self, signal, prompts, *, noise, condition="training"):
        latent = self.told(self.coded(signal), condition)
        made = self.made(latent)[:, :, : signal.shape[2]]
        return ((made - signal) / self.scale).square().mean((1, 2))

    def told(self, latent, condition):
        if condition == "other":
            return latent.roll(-1, 0)
        return torch.zeros_like(latent) if condition == "none" else latent

    def encode(self, signal):
        return self.coded(signal)

    def coded(self, signal):
        return self.down(pad(signal, (0, -signal.shape[2] % self.stride)) / self.scale).tanh()

    def decode(self, latents, request):
        if latents is None:
            raise mk.RequestError("coder needs a stage above it")
        return self.made(latents)[:, :, : self.input_space.frames(request.samples)]

    def made(self, latent):
        return self.up(latent) * self.scale


class TwoPasses(Coder):
    """It goes through the signals twice, once to count them."""

    breaks = "test_one_pass_over_the_signals_is_enough_to_prepare"

    def fit_statistics(self, signals, captions):
        total = sum(signal.square().mean() for signal in signals)
        self.scale.copy_((total / sum(1 for _ in signals)) ** 0.5)


class Loudness(mk.SpectralEncoder):
    """Its latent is the audio, brought to the loudness that was measured."""

    name = "loudness"
    channels, downsampling = 2, 1

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.register_buffer("loudness", torch.ones(()))

    def forward(self, wave):
        return (wave / self.loudness).tanh()

    def fit_statistics(self, waves):
        self.loudness.copy_(torch.stack([wave.std() for wave in waves]).mean() + 1e-3)


class Unmeasured(Coder):
    """Its encoder is never told to measure."""

    breaks = "test_its_spectral_encoder_is_prepared"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.encoder = Loudness(
            mk.Options(), audio_channels=input_space.channels, sample_rate=input_space.sample_rate
        )

    def coded(self, signal):
        return super().coded(self.encoder(signal))


class OneLoss(Coder):
    """Its loss is the batch's, not each clip's."""

    breaks = "test_its_loss_is_a_number_for_each_clip"

    def loss(self, signal, prompts, *, noise, condition="training"):
        return super().loss(signal, prompts, noise=noise, condition=condition).mean()


class WholeFrames(Coder):
    """It takes whole frames only."""

    breaks = "test_signals_of_any_length_have_a_finite_loss_each"

    def coded(self, signal):
        return self.down(signal / self.scale).tanh()


class InPlace(Coder):
    """It scales the very signal that it is given."""

    breaks = "test_what_it_is_given_is_left_as_it_was"

    def coded(self, signal):
        signal /= self.scale
        return super().coded(signal * self.scale)


class RunningMean(Coder):
    """Its loss goes on measuring."""

    breaks = "test_what_it_is_given_is_left_as_it_was"

    def loss(self, signal, prompts, *, noise, condition="training"):
        self.scale.lerp_(signal.std(), 0.1)
        return super().loss(signal, prompts, noise=noise, condition=condition)


class Dropout(Coder):
    """It drops latents by torch's generator."""

    breaks = "test_the_same_noise_gives_the_same_loss"

    def told(self, latent, condition):
        return super().told(nn.functional.dropout(latent, 0.1, self.training), condition)


class BatchNormalised(Coder):
    """It normalises latents over the batch."""

    breaks = "test_a_clips_loss_does_not_depend_on_the_others"

    def told(self, latent, condition):
        return super().told(latent - 0.1 * latent.mean(0), condition)


class PreviousClip(Coder):
    """It gives each clip the previous one's latent where it should give the next one's."""

    breaks = "test_the_other_condition_is_the_next_clips"

    def told(self, latent, condition):
        return latent.roll(1, 0) if condition == "other" else super().told(latent, condition)


class Rounded(Coder):
    """It rounds its latents, and nothing learns through that."""

    breaks = "test_every_parameter_learns"

    def coded(self, signal):
        return super().coded(signal).round()


class Timid(Coder):
    """What it makes never reaches a tenth of full scale."""

    breaks = "test_fifty_steps_on_one_batch_halve_the_loss"

    def made(self, latent):
        return 0.1 * super().made(latent).tanh()


class OtherIsRight(Coder):
    """It forgets to tell another clip's latent."""

    breaks = "test_it_hears_its_condition"

    def told(self, latent, condition):
        return super().told(latent, "right" if condition == "other" else condition)


class Unused(Coder):
    """It has a layer that it never asks."""

    breaks = "test_every_parameter_learns"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.spare = nn.Linear(2, 2)


class Detached(Coder):
    """Its encoder learns nothing."""

    breaks = "test_every_parameter_learns"

    def told(self, latent, condition):
        return super().told(latent.detach(), condition)


class HalfOnly(Coder):
    """It is of no use in half precision."""

    breaks = "test_its_loss_is_finite_in_half_precision"

    def told(self, latent, condition):
        far = 1e30 if latent.dtype == torch.bfloat16 else 1.0
        return super().told(latent * far, condition)


class OnTheCPU(Coder):
    """It makes tensors on the CPU, wherever the signal is."""

    breaks = "test_it_works_out_shapes_where_there_are_no_numbers"

    def coded(self, signal):
        return super().coded(signal) * torch.ones(8, 1, device="cpu")


class WrongStride(Coder):
    """It says that its frames are longer than they are."""

    breaks = "test_it_works_out_shapes_where_there_are_no_numbers"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.latent_space = mk.SignalSpace(
            8, 2 * input_space.stride * self.stride, input_space.sample_rate
        )


class RateForgotten(Coder):
    """Its space has a sample rate of its own."""

    breaks = "test_its_space_is_made_of_whole_frames_of_the_space_below"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.latent_space = mk.SignalSpace(8, input_space.stride * self.stride, 48_000)


class FrameTooMany(Coder):
    """It encodes a frame too many where a length is no multiple of its stride."""

    breaks = "test_any_length_has_its_latents"

    def encode(self, signal):
        latents = super().encode(signal)
        return pad(latents, (0, 1)) if signal.shape[2] % self.stride else latents


class EncodedTogether(Coder):
    """It centres the latents of a batch."""

    breaks = "test_a_clip_is_encoded_alike_alone_and_in_a_batch"

    def encode(self, signal):
        latents = super().encode(signal)
        return latents - latents.mean(0)


class WindowsTogether(Coder):
    """How loud it is depends on how many windows are made together."""

    breaks = "test_how_many_windows_are_made_together_changes_nothing"

    def decode(self, latents, request):
        return super().decode(latents, request) / request.together


class WordsInItsState(Coder):
    """It keeps words in its state, which no file of tensors holds."""

    breaks = "test_its_state_holds_tensors_only"

    def get_extra_state(self):
        return "words"

    def set_extra_state(self, state):
        pass


class RoundedUp(Coder):
    """What it makes ends with a whole frame."""

    breaks = "test_any_length_can_be_made"

    def decode(self, latents, request):
        whole = -(-request.samples // self.stride) * self.stride
        return super().decode(latents, mk.GenerationRequest(request.prompts, request.seeds, whole))


class FromNothing(Coder):
    """It makes something of no latents."""

    breaks = "test_a_stage_that_needs_latents_says_so"

    def decode(self, latents, request):
        if latents is None:
            latents = torch.zeros(len(request.seeds), 8, self.latent_space.frames(request.samples))
        return super().decode(latents, request)


class LatentsIgnored(Coder):
    """It makes the same of all latents."""

    breaks = "test_other_latents_make_another_signal"

    def decode(self, latents, request):
        return super().decode(latents if latents is None else 0 * latents, request)


class Overlapping(Coder):
    """Its pieces overlap."""

    breaks = "test_pieces_make_what_is_made_whole"

    def stream(self, latents, request):
        whole = self.decode(latents, request)
        yield whole[..., :100]
        yield whole[..., 90:]


class LearningInside(Coder):
    """A stage inside it learns along, and not before it."""

    breaks = "test_what_is_inside_it_has_learned_before"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.inner = Coder(options, input_space=input_space)
        self.inner.up.requires_grad_(False)
        del self.down

    def coded(self, signal):
        return self.inner.coded(signal)


class NotSaved(Coder):
    """Its measured scale is no part of its state."""

    breaks = "test_all_that_it_knows_is_in_its_state"

    def __init__(self, options, *, input_space):
        super().__init__(options, input_space=input_space)
        self.register_buffer("scale", torch.ones(()), persistent=False)


globals().update(suites(StageContract, Coder, samples=512))
