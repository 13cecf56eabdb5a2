"""The contract of spectral encoders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component
from mousai_kit.core.interfaces import SpectralEncoder
from mousai_kit.runs import checkpoint
from mousai_kit.testing.assertions import (
    assert_alike,
    assert_differs,
    assert_finite,
    forwards_tensors,
)
from mousai_kit.testing.network import NetworkContract, check_sizes, mixes_batch, perturb
from mousai_kit.testing.signals import white

RATES = (8000, 22050, 44100, 48000)
"""Sample rates in Hz."""
FRAMES = 4
"""Latent frames of what is encoded, where the length does not matter."""


class SpectralEncoderContract(NetworkContract):
    """What every spectral encoder keeps to."""

    interface: ClassVar[type[Component]] = SpectralEncoder

    def fresh(self, *, seed: int = 0, audio_channels: int = 2, sample_rate: int = 48000) -> Any:
        """Return the encoder as it is built."""
        encoder = self.build(seed=seed, audio_channels=audio_channels, sample_rate=sample_rate)
        return forwards_tensors(encoder, "latents, a tensor [b, channels, t]")

    def network(self, *, seed: int = 0, **build_kwargs: int) -> Any:
        """Return the encoder, stirred."""
        return perturb(self.fresh(seed=seed, **build_kwargs))

    def inputs(self, *, device: str = "cpu") -> Sequence[Any]:
        """Return audio [3, 2, t]."""
        return (_wave(3, 2, FRAMES * self.fresh().downsampling).to(device),)

    def answer(self, network: Any, inputs: Sequence[Any]) -> Tensor:
        """Return the latents."""
        latent: Tensor = network(*inputs)
        return latent

    def test_a_latent_has_a_frame_per_downsampling_samples(self) -> None:
        encoder = self.network().eval()
        for batch, frames in ((1, 1), (2, 2), (1, 3), (2, 7)):
            latent = encoder(_wave(batch, 2, frames * encoder.downsampling))
            rule = "latents must be [b, channels, t / downsampling]"
            assert tuple(latent.shape) == (batch, encoder.channels, frames), rule

    def test_any_sample_rate_and_mono_or_stereo_can_be_encoded(self) -> None:
        for rate in RATES:
            for channels in (1, 2):
                encoder = self.network(audio_channels=channels, sample_rate=rate).eval()
                latent = encoder(_wave(1, channels, 2 * encoder.downsampling))
                rule = f"audio of {rate} Hz and {channels} channels must be encoded"
                assert tuple(latent.shape) == (1, encoder.channels, 2), rule
                assert_finite(latent, rule)

    def test_latents_lie_between_minus_one_and_one(self) -> None:
        encoder = self.network().eval()
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.mul_(10)  # as far as learning may take them
            latent = encoder(_wave(2, 2, FRAMES * encoder.downsampling))
        rule = "latents must lie in [-1, 1] whatever the weights (tanh, say): noise has that scale"
        assert latent.abs().max() <= 1, rule

    def test_silence_and_full_scale_are_encoded_finitely(self) -> None:
        encoder = self.network().eval()
        for name, wave in _extremes(FRAMES * encoder.downsampling).items():
            assert_finite(encoder(wave), f"latents of {name} must be finite")

    def test_silence_and_full_scale_have_finite_gradients(self) -> None:
        encoder = self.network()
        for name, wave in _extremes(FRAMES * encoder.downsampling).items():
            encoder.zero_grad()
            heard = wave.clone().requires_grad_()
            encoder(heard).sum().backward()
            rule = f"{name} must have finite gradients, or training stops at a pause"
            for gradient in (heard.grad, *(parameter.grad for parameter in encoder.parameters())):
                if gradient is not None:
                    assert_finite(gradient, rule)

    def test_latents_follow_every_channel_of_the_audio(self) -> None:
        encoder = self.network().eval()
        wave = _wave(1, 2, FRAMES * encoder.downsampling)
        with torch.no_grad():
            before = encoder(wave)
            for channel in (0, 1):
                changed = wave.clone()
                changed[:, channel] = wave[:, channel].flip(-1) / 2
                rule = f"latents must follow channel {channel} of the audio"
                assert_differs(encoder(changed), before, rule)

    def test_silence_or_nothing_to_measure_leaves_it_usable(self) -> None:
        for name, count in {"silence": 1, "nothing": 0}.items():
            encoder = self.fresh()
            silence = torch.zeros(1, 2, FRAMES * encoder.downsampling)
            encoder.fit_statistics(iter([silence] * count))
            wave = _wave(1, 2, FRAMES * encoder.downsampling).requires_grad_()
            latent = encoder(wave)
            latent.sum().backward()
            assert_finite(latent, f"after measuring {name}, latents of music must be finite")
            if wave.grad is not None:
                assert_finite(wave.grad, f"after measuring {name}, gradients must be finite")

    def test_one_pass_over_the_waves_is_enough_to_measure(self) -> None:
        again, once = self.fresh(), self.fresh()
        waves = [*_wave(3, 2, FRAMES * once.downsampling).split(1)]
        again.fit_statistics(waves)
        once.fit_statistics(iter(waves))
        rule = "the waves that `fit_statistics` is given can be gone through once only"
        with torch.no_grad():
            assert_alike(once(waves[0]), again(waves[0]), rule)

    def test_what_is_measured_comes_back_from_a_weights_file(self, tmp_path: Path) -> None:
        encoder, fresh = self.fresh().eval(), self.fresh(seed=1).eval()
        wave, file = _wave(3, 2, FRAMES * encoder.downsampling), tmp_path / "weights.safetensors"
        encoder.fit_statistics(iter(wave.split(1)))
        checkpoint.write_checkpoint(file, encoder.state_dict(), {})
        checkpoint.load_into(fresh, checkpoint.read_checkpoint(file)[0], origin=file.name)
        rule = "what `fit_statistics` measures must be kept in parameters or buffers"
        with torch.no_grad():
            assert_alike(fresh(wave), encoder(wave), rule)

    def test_on_the_meta_device_it_can_be_prepared(self) -> None:
        with torch.device("meta"):
            encoder = self.fresh()
        wave = torch.zeros(1, 2, FRAMES * encoder.downsampling, device="meta")
        encoder.fit_statistics(iter([wave]))
        rule = "`fit_statistics` must not look at numbers: `show` builds on torch's meta device"
        assert encoder(wave).shape == (1, encoder.channels, FRAMES), rule

    def test_items_of_a_batch_do_not_mix(self) -> None:
        (wave,), encoder = self.inputs(), self.network()
        rule = "a clip's latents must not depend on those beside it (as batch norm makes them)"
        for training in (True, False):
            heard = wave.clone().requires_grad_()
            assert not mixes_batch(encoder.train(training)(heard), heard), rule
        with torch.no_grad():
            alone = torch.cat([encoder(word) for word in wave.split(1)])
            assert_alike(encoder(wave), alone, rule)

    def test_its_sizes_are_whole_numbers(self) -> None:
        check_sizes(self.fresh(), "encoder", "channels", "downsampling")


def _wave(batch: int, channels: int, length: int) -> Tensor:
    """Return the same audio [b, c, t] every time, within [-1, 1]."""
    return (0.3 * white(batch, channels, length)).clamp(-1, 1)


def _extremes(length: int) -> dict[str, Tensor]:
    """Return audio [1, 2, length] at both ends of what there is."""
    alternating = torch.ones(1, 2, length)
    alternating[..., ::2] = -1
    impulse = torch.zeros(1, 2, length)
    impulse[..., length // 2] = 1
    return {
        "silence": torch.zeros(1, 2, length),
        "a constant": torch.ones(1, 2, length),
        "the highest tone at full scale": alternating,
        "an impulse": impulse,
    }
