"""Spectral encoders with a bug each."""

import torch
from planting import plant
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

    def bounded(self, latent):
        return latent.float()


class BatchNorm(Healthy):
    """A batch norm, which mixes the clips of a batch."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.norm = nn.BatchNorm1d(CHANNELS)

    def bounded(self, latent):
        return self.norm(latent).tanh()


class LoudestOfTheBatch(Healthy):
    """Audio brought to the level of the loudest clip of the batch."""

    def blocks(self, wave):
        return super().blocks(wave / wave.abs().amax().clamp(min=1e-3).detach())


class RootOfPower(Healthy):
    """The root of power, whose gradient is none at silence."""

    def spectrum(self, blocks):
        found = torch.fft.rfft(blocks)
        return (found.real**2 + found.imag**2).sqrt()


class LogOfNothing(Healthy):
    """The logarithm of magnitudes, which silence has none of."""

    def spectrum(self, blocks):
        return torch.fft.rfft(blocks).abs().log()


class OneFrameMore(Healthy):
    """A frame too many, as padding at both ends gives."""

    def forward(self, wave):
        latent = super().forward(wave)
        return torch.cat([latent, latent[..., -1:]], 2)


class LeftOnly(Healthy):
    """The left channel in place of each."""

    def blocks(self, wave):
        return super().blocks(wave[:, :1].expand_as(wave))


class StereoOnly(Healthy):
    """Filters for two channels, whatever the audio has."""

    def blocks(self, wave):
        return super().blocks(wave).unflatten(1, (2, -1)).flatten(1, 2)


class For48kHz(Healthy):
    """A filter at 16 kHz, which audio at a low rate has no room for."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        assert sample_rate > 32000


class InPlace(Healthy):
    """The audio's mean is subtracted in place."""

    def blocks(self, wave):
        return super().blocks(wave.sub_(wave.mean(2, keepdim=True)))


class WindowOnTheCPU(Healthy):
    """A window that is a plain attribute, and stays where it was made."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.window = torch.ones(BLOCK, device="cpu")

    def blocks(self, wave):
        return super().blocks(wave) * self.window


class Dithered(Healthy):
    """Noise is added to the audio outside of training too."""

    def blocks(self, wave):
        return super().blocks(wave + 1e-2 * torch.randn_like(wave))


class Running(Healthy):
    """Loudness is measured while it is used, outside of training too."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.register_buffer("loudness", torch.ones(()))

    def blocks(self, wave):
        self.loudness.lerp_(wave.abs().mean().detach(), 0.01)
        return super().blocks(wave)


class Unsaved(Healthy):
    """A random projection that is no part of the state."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.register_buffer("projection", torch.randn(BINS, BINS), persistent=False)

    def spectrum(self, blocks):
        return super().spectrum(blocks) @ self.projection


class OwnSeed(Healthy):
    """First weights from a seed of its own."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(42)
            self.mix.reset_parameters()


class Unused(Healthy):
    """A layer that was forgotten in `forward`."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.second = nn.Conv1d(CHANNELS, CHANNELS, 1)


class Keeps(Healthy):
    """The scale of its weights is worked out at the first call and kept."""

    kept = None

    def bounded(self, latent):
        if self.kept is None:
            self.kept = self.mix.weight.norm().clamp(max=1)
        return (self.kept * latent).tanh()


class FlatGain(Healthy):
    """Frozen weights in the module's state, repeated in every checkpoint."""

    def __init__(self, options, *, audio_channels, sample_rate):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)


BUGS = {
    Unbounded: "test_latents_lie_between_minus_one_and_one",
    BatchNorm: "test_items_of_a_batch_do_not_mix",
    LoudestOfTheBatch: "test_items_of_a_batch_do_not_mix",
    RootOfPower: "test_silence_and_full_scale_have_finite_gradients",
    LogOfNothing: "test_silence_and_full_scale_have_finite_gradients",
    OneFrameMore: "test_a_latent_has_a_frame_per_downsampling_samples",
    LeftOnly: "test_latents_follow_every_channel_of_the_audio",
    StereoOnly: "test_any_sample_rate_and_mono_or_stereo_can_be_encoded",
    For48kHz: "test_any_sample_rate_and_mono_or_stereo_can_be_encoded",
    InPlace: "test_inputs_are_not_changed_in_place",
    WindowOnTheCPU: "test_on_the_meta_device_it_makes_shapes",
    Dithered: "test_it_answers_the_same_every_time",
    Running: "test_using_it_leaves_its_weights_and_buffers",
    Unsaved: "test_its_state_comes_back_from_a_weights_file",
    OwnSeed: "test_the_seed_decides_its_first_weights",
    Unused: "test_every_parameter_gets_a_gradient",
    Keeps: "test_it_can_learn_after_use_in_inference_mode",
    FlatGain: "test_frozen_weights_are_no_part_of_its_state",
}

plant(SpectralEncoderContract, [Healthy, *BUGS], globals())
