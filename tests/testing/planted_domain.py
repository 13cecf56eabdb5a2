"""Domains with a bug each: their docstrings say which."""

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import DomainContract
from mousai_kit_mousai.domains import MDCT


class Folded(mk.Domain):
    """Audio folded into blocks, brought to unit variance."""

    name = "folded"

    def __init__(self, options, *, audio_channels):
        super().__init__(options, audio_channels=audio_channels)
        self.channels, self.stride = 8 * audio_channels, 8
        self.register_buffer("scale", torch.ones(()))

    def forward(self, wave):
        return wave.unflatten(2, (-1, self.stride)).transpose(2, 3).flatten(1, 2) / self.scale

    def inverse(self, x, length):
        blocks = (x * self.scale).unflatten(1, (-1, self.stride))
        return blocks.transpose(2, 3).flatten(2)[:, :, :length]

    def channel_weights(self):
        return torch.linspace(0.5, 1.5, self.channels)

    def fit_statistics(self, waves):
        power = torch.stack([wave.square().mean() for wave in waves]).mean()
        self.scale.copy_(power.sqrt().clamp(min=1e-4))


class HalfAFrame(Folded):
    """Its margin is half a frame."""

    breaks = "test_its_sizes_are_whole_numbers"

    def __init__(self, options, *, audio_channels):
        super().__init__(options, audio_channels=audio_channels)
        self.context_frames = 0.5


class LayoutOfMono(Folded):
    """It tells of one channel of audio, whatever it has."""

    breaks = "test_its_layout_has_all_channels"

    def __init__(self, options, *, audio_channels):
        super().__init__(options, audio_channels=audio_channels)
        self.layout = mk.ChannelLayout(bands=8, audio_channels=1)


class RoundedDown(Folded):
    """It drops the last frame."""

    breaks = "test_there_is_a_frame_for_every_stride"

    def forward(self, wave):
        return super().forward(wave)[..., :-1]


class DoublePrecision(Folded):
    """It makes float64 of float32."""

    breaks = "test_there_is_a_frame_for_every_stride"

    def forward(self, wave):
        return super().forward(wave.double())


class ScaleForgotten(Folded):
    """Its inverse forgets the scale."""

    breaks = "test_audio_comes_back"

    def inverse(self, x, length):
        return super().inverse(x / self.scale, length)


class SidesSwapped(Folded):
    """Its inverse gives left for right."""

    breaks = "test_audio_comes_back"

    def inverse(self, x, length):
        return super().inverse(x, length).flip(1)


class LengthIgnored(Folded):
    """Its inverse ends with a whole frame."""

    breaks = "test_audio_ends_at_the_length_asked_for"

    def inverse(self, x, length):
        return super().inverse(x, x.shape[-1] * self.stride)


class CutAtTheWrongEnd(Folded):
    """Its inverse leaves out the beginning where the end is too much."""

    breaks = "test_audio_ends_at_the_length_asked_for"

    def inverse(self, x, length):
        return super().inverse(x, x.shape[-1] * self.stride)[..., -length:]


class AxesMistaken(Folded):
    """It takes the batch's axis for the channels', there and back."""

    breaks = "test_clips_of_a_batch_do_not_mix"

    def forward(self, wave):
        return wave.reshape(self.channels, len(wave), -1).transpose(0, 1) / self.scale

    def inverse(self, x, length):
        whole = (x * self.scale).transpose(0, 1).reshape(len(x), self.channels // self.stride, -1)
        return whole[..., :length]


class InPlace(Folded):
    """Its inverse scales the very x that it is given."""

    breaks = "test_what_it_is_given_is_left_as_it_was"

    def inverse(self, x, length):
        x *= self.scale
        return super().inverse(x / self.scale, length)


class Dithered(Folded):
    """Its inverse adds noise that nobody gave it."""

    breaks = "test_nothing_is_drawn_at_random"

    def inverse(self, x, length):
        return super().inverse(x, length) + 1e-7 * torch.randn(())


class NoGradient(Folded):
    """It was written for listening, not for learning."""

    breaks = "test_gradients_pass_through"

    def forward(self, wave):
        with torch.no_grad():
            return super().forward(wave)


class SilenceDivides(Folded):
    """It divides by the loudness of silence."""

    breaks = "test_silence_is_finite_even_where_nothing_else_was_measured"

    def fit_statistics(self, waves):
        self.scale.copy_(torch.stack([wave.square().mean() for wave in waves]).mean().sqrt())


class Differences(Folded):
    """It shows the steps between samples: white noise in them is brown noise in the audio."""

    breaks = "test_white_noise_in_x_is_white_noise_in_the_audio"

    def forward(self, wave):
        return super().forward(wave.diff(prepend=torch.zeros_like(wave[..., :1])))

    def inverse(self, x, length):
        return super().inverse(x, length).cumsum(-1)


class TwoPasses(Folded):
    """It goes through the waves twice, once to count them."""

    breaks = "test_one_pass_over_the_waves_is_enough_to_measure"

    def fit_statistics(self, waves):
        count = sum(1 for _ in waves)
        total = sum((wave.square().mean() for wave in waves), torch.zeros_like(self.scale))
        self.scale.copy_((total / count).sqrt().clamp(min=1e-4))


class Unmeasured(Folded):
    """It measures and keeps nothing."""

    breaks = "test_music_has_about_unit_variance_once_measured"

    def fit_statistics(self, waves):
        for wave in waves:
            wave.square().mean().sqrt()


class NotSaved(Folded):
    """Its measured scale is no part of its state."""

    breaks = "test_what_is_measured_is_kept_by_the_state"

    def __init__(self, options, *, audio_channels):
        super().__init__(options, audio_channels=audio_channels)
        self.register_buffer("scale", torch.ones(()), persistent=False)


class ImportanceOfOne(Folded):
    """Its importance is one in all, not on average."""

    breaks = "test_importance_is_one_on_average"

    def channel_weights(self):
        return torch.full((self.channels,), 1 / self.channels)


class OnTheCPU(Folded):
    """It makes its window on the CPU, wherever the audio is."""

    breaks = "test_it_works_out_shapes_where_there_are_no_numbers"

    def forward(self, wave):
        return super().forward(wave * torch.ones(wave.shape[-1], device="cpu"))


class NoMargin(MDCT):
    """It says that no frame has a say in its neighbour's audio."""

    context_frames = 0
    breaks = "test_pieces_make_the_audio_that_the_whole_makes"


globals().update(suites(DomainContract, Folded))
globals().update(suites(DomainContract, MDCT, options={"hop": 16}))
