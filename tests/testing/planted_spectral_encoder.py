"""Spectral encoders with a bug each."""

from threading import Lock

import torch
from planted_suites import suites
from torch import nn

import mousai_kit.api as mk
from mousai_kit.testing import SpectralEncoderContract

BLOCK, BINS, CHANNELS = 16, 9, 4


class Healthy(mk.SpectralEncoder):
    """Log spectra of blocks, mixed into a few channels, without a bug."""

    name = "healthy"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.channels, self.downsampling = CHANNELS, BLOCK
        self.mix = nn.Conv1d(audio_channels * BINS, CHANNELS, 1)

    def blocks(self, wave):
        return wave.float().unflatten(2, (-1, BLOCK))

    def spectrum(self, blocks):
        """Return spectra [b, c, frames, BINS]."""
        return torch.fft.rfft(blocks).abs().log1p()

    def bounded(self, latent):
        return latent.float().tanh()

    def forward(self, wave):
        spectrum = self.spectrum(self.blocks(wave))
        return self.bounded(self.mix(spectrum.transpose(2, 3).flatten(1, 2)))


class Unbounded(Healthy):
    """Latents without a bound."""

    breaks = "test_latents_lie_between_minus_one_and_one"

    def bounded(self, latent):
        return latent.float()


class BatchNorm(Healthy):
    """A batch norm, which mixes the clips of a batch."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.norm = nn.BatchNorm1d(CHANNELS)

    def bounded(self, latent):
        return self.norm(latent).tanh()


class LoudestOfTheBatch(Healthy):
    """Audio brought to the level of the loudest clip of the batch."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def blocks(self, wave):
        return super().blocks(wave / wave.abs().amax().clamp(min=1e-3).detach())


class RootOfPower(Healthy):
    """The root of power, whose gradient is none at silence."""

    breaks = "test_silence_and_full_scale_have_finite_gradients"

    def spectrum(self, blocks):
        found = torch.fft.rfft(blocks)
        return (found.real**2 + found.imag**2).sqrt()


class LogOfNothing(Healthy):
    """The logarithm of magnitudes, which silence has none of."""

    breaks = "test_silence_and_full_scale_have_finite_gradients"

    def spectrum(self, blocks):
        return torch.fft.rfft(blocks).abs().log()


class OneFrameMore(Healthy):
    """A frame too many, as padding at both ends gives."""

    breaks = "test_a_latent_has_a_frame_per_downsampling_samples"

    def forward(self, wave):
        latent = super().forward(wave)
        return torch.cat([latent, latent[..., -1:]], 2)


class LeftOnly(Healthy):
    """The left channel in place of each."""

    breaks = "test_latents_follow_every_channel_of_the_audio"

    def blocks(self, wave):
        return super().blocks(wave[:, :1].expand_as(wave))


class StereoOnly(Healthy):
    """Filters for two channels, whatever the audio has."""

    breaks = "test_any_sample_rate_and_mono_or_stereo_can_be_encoded"

    def blocks(self, wave):
        return super().blocks(wave).unflatten(1, (2, -1)).flatten(1, 2)


class For48kHz(Healthy):
    """A filter at 16 kHz, which audio at a low rate has no room for."""

    breaks = "test_any_sample_rate_and_mono_or_stereo_can_be_encoded"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        assert sample_rate > 32000


class InPlace(Healthy):
    """The audio's mean is subtracted in place."""

    breaks = "test_inputs_are_not_changed_in_place"

    def blocks(self, wave):
        return super().blocks(wave.sub_(wave.mean(2, keepdim=True)))


class WindowOnTheCPU(Healthy):
    """A window that is a plain attribute, and stays where it was made."""

    breaks = "test_on_the_meta_device_it_makes_shapes"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.window = torch.ones(BLOCK, device="cpu")

    def blocks(self, wave):
        return super().blocks(wave) * self.window


class Dithered(Healthy):
    """Noise is added to the audio outside of training too."""

    breaks = "test_it_answers_the_same_every_time"

    def blocks(self, wave):
        return super().blocks(wave + 1e-2 * torch.randn_like(wave))


class Running(Healthy):
    """Loudness is measured while it is used, outside of training too."""

    breaks = "test_using_it_leaves_its_weights_and_buffers"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.register_buffer("loudness", torch.ones(()))

    def blocks(self, wave):
        self.loudness.lerp_(wave.abs().mean().detach(), 0.01)
        return super().blocks(wave)


class Unsaved(Healthy):
    """A random projection that is no part of the state."""

    breaks = "test_its_state_comes_back_from_a_weights_file"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.register_buffer("projection", torch.randn(BINS, BINS), persistent=False)

    def spectrum(self, blocks):
        return super().spectrum(blocks) @ self.projection


class OwnSeed(Healthy):
    """First weights from a seed of its own."""

    breaks = "test_the_seed_decides_its_first_weights"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(42)
            self.mix.reset_parameters()


class Unused(Healthy):
    """A layer that was forgotten in `forward`."""

    breaks = "test_every_parameter_gets_a_gradient"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.second = nn.Conv1d(CHANNELS, CHANNELS, 1)


class Keeps(Healthy):
    """The scale of its weights is worked out at the first call and kept."""

    breaks = "test_it_can_learn_after_use_in_inference_mode"

    kept = None

    def bounded(self, latent):
        if self.kept is None:
            self.kept = self.mix.weight.norm().clamp(max=1)
        return (self.kept * latent).tanh()


class FlatGain(Healthy):
    """Frozen weights in the module's state, repeated in every checkpoint."""

    breaks = "test_frozen_weights_are_no_part_of_its_state"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)


class DividesByLoudness(Healthy):
    """Audio is brought to one loudness, which silence has none of."""

    breaks = "test_silence_and_full_scale_are_encoded_finitely"

    def blocks(self, wave):
        return super().blocks(wave / wave.square().mean((1, 2), keepdim=True).sqrt())


class HalvesOfSamples(Healthy):
    """`downsampling` is a float."""

    breaks = "test_its_sizes_are_whole_numbers"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.downsampling = BLOCK / 1


class Measured(Healthy):
    """Audio is brought to the loudness that was measured, without a bug."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.register_buffer("loudness", torch.ones(()))

    def measure(self, waves):
        return torch.stack([torch.ones(()), *(wave.std() for wave in waves)]).mean()

    def fit_statistics(self, waves):
        self.loudness.copy_(self.measure([wave.to(self.loudness) for wave in waves]))

    def blocks(self, wave):
        return super().blocks(wave / self.loudness)


class MeasuresSilence(Measured):
    """A loudness of none, by which audio is divided."""

    breaks = "test_silence_or_nothing_to_measure_leaves_it_usable"

    def measure(self, waves):
        return torch.stack([wave.std() for wave in waves]).mean() if waves else torch.ones(())


class TwoPasses(Measured):
    """It goes through the waves twice, once to count them."""

    breaks = "test_one_pass_over_the_waves_is_enough_to_measure"

    def fit_statistics(self, waves):
        count = sum(1 for _ in waves)
        self.loudness.copy_((1 + sum(wave.std() for wave in waves)) / (1 + count))


class MeasuredButNotSaved(Healthy):
    """What it measures is a plain attribute."""

    breaks = "test_what_is_measured_comes_back_from_a_weights_file"

    loudness = 1.0

    def fit_statistics(self, waves):
        self.loudness = torch.stack([torch.ones(()), *(wave.std() for wave in waves)]).mean().item()

    def blocks(self, wave):
        return super().blocks(wave / self.loudness)


class LooksAtNumbers(Measured):
    """It asks whether there is a sound."""

    breaks = "test_on_the_meta_device_it_can_be_prepared"

    def measure(self, waves):
        return super().measure([wave for wave in waves if wave.any()])


class HoldsALock(Healthy):
    """It holds a lock, which can't be copied."""

    breaks = "test_a_copy_answers_the_same"

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.lock = Lock()


class LargeOffset(Healthy):
    """An offset so large that bfloat16 loses what it is added to."""

    breaks = "test_in_bfloat16_autocast_it_is_near_its_float_self"

    def bounded(self, latent):
        return super().bounded((latent + 1000) - 1000)


globals().update(suites(SpectralEncoderContract, Healthy))
