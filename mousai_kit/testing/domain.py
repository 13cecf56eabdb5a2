"""DomainContract: audio comes back, nothing mixes, and what is measured is kept.

Legend: b batch, c channels, t time in samples, x what a domain shows, [b, channels, frames].
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from mousai_kit.core.interfaces import ChannelLayout, Domain
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.signals import chords, loudness, nothing_drawn, white

EACH_CHANNELS = pytest.mark.parametrize("audio_channels", [1, 2])
QUIET = 0.05
"""Deviation of the noise that domains are prepared with: nowhere near 1."""


class DomainContract(Contract):
    """What every domain keeps to. One that loses something (a mel picture) is excused from that."""

    interface: ClassVar = Domain
    bound: ClassVar[float] = 1e-3
    """How far audio may be off that comes back, as a part of its root mean square."""
    sample_rate: ClassVar[int] = 48_000
    """In Hz, for a domain that asks."""

    def domain(self, audio_channels: int = 2, *, device: str = "cpu") -> Any:
        """Return the domain as it is built, nothing measured."""
        with torch.device(device):
            return self.build(audio_channels=audio_channels, sample_rate=self.sample_rate)

    def prepared_domain(self, audio_channels: int = 2) -> Any:
        """Return the domain after it has measured quiet noise."""
        domain = self.domain(audio_channels)
        domain.fit_statistics(iter(_audio(domain, audio_channels, frames=64, loud=QUIET).split(1)))
        return domain

    @EACH_CHANNELS
    def test_its_sizes_are_whole_numbers(self, audio_channels: int) -> None:
        domain = self.domain(audio_channels)
        sizes = {name: getattr(domain, name) for name in ("channels", "stride", "context_frames")}
        for name, least in {"channels": 1, "stride": 1, "context_frames": 0}.items():
            assert isinstance(sizes[name], int), f"{name} is no int: {sizes[name]!r}"
            assert sizes[name] >= least, f"{name} must be at least {least}"

    @EACH_CHANNELS
    def test_its_layout_has_all_channels(self, audio_channels: int) -> None:
        domain = self.domain(audio_channels)
        if domain.layout is not None:
            assert isinstance(domain.layout, ChannelLayout)
            assert domain.layout.audio_channels == audio_channels
            assert domain.layout.channels == domain.channels

    @EACH_CHANNELS
    @pytest.mark.parametrize("frames", [1, 2, 3, 8])
    def test_there_is_a_frame_for_every_stride(self, audio_channels: int, frames: int) -> None:
        domain = self.domain(audio_channels)
        x = domain(_audio(domain, audio_channels, frames))
        assert x.shape == (2, domain.channels, frames)
        assert x.dtype == torch.float32

    @EACH_CHANNELS
    @pytest.mark.parametrize("frames", [1, 2, 5])
    def test_audio_comes_back(self, audio_channels: int, frames: int) -> None:
        domain = self.prepared_domain(audio_channels)
        wave = _audio(domain, audio_channels, frames, loud=QUIET)
        back = domain.inverse(domain(wave), wave.shape[-1])
        assert back.shape == wave.shape
        off = loudness(back - wave) / loudness(wave)
        assert off <= self.bound, f"inverse(forward(wave)) is off by {off:.2g} of the wave"

    def test_audio_ends_at_the_length_asked_for(self) -> None:
        domain = self.domain()
        x = domain(_audio(domain, 2, frames=3))
        whole = domain.inverse(x, 3 * domain.stride)
        for length in sorted({1, 2 * domain.stride + 1, 3 * domain.stride - 1, 3 * domain.stride}):
            made = domain.inverse(x, length)
            assert made.shape == (2, 2, length)
            torch.testing.assert_close(made, whole[..., :length], atol=1e-5, rtol=1e-5)

    def test_what_it_is_given_is_left_as_it_was(self) -> None:
        domain = self.prepared_domain()
        wave = _audio(domain, 2, frames=4)
        given, x = wave.clone(), domain(wave)
        assert torch.equal(wave, given), "forward changes the audio that it is given"
        shown = x.clone()
        domain.inverse(x, wave.shape[-1])
        assert torch.equal(x, shown), "inverse changes the x that it is given"

    def test_clips_of_a_batch_do_not_mix(self) -> None:
        domain = self.prepared_domain()
        wave = _audio(domain, 2, frames=4) * torch.tensor([0.01, 1.0])[:, None, None]
        x = domain(wave)
        length = wave.shape[-1]
        rule = "gives a clip something else alone than in a batch"
        for clip in range(2):
            one = slice(clip, clip + 1)
            torch.testing.assert_close(domain(wave[one]), x[one], msg=f"forward {rule}")
            alone, together = domain.inverse(x[one], length), domain.inverse(x, length)[one]
            torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4, msg=f"inverse {rule}")

    def test_nothing_is_drawn_at_random(self) -> None:
        domain = self.domain()
        wave = _audio(domain, 2, frames=4)
        with nothing_drawn():
            domain.fit_statistics(iter([wave]))
            domain.inverse(domain(wave), wave.shape[-1])

    def test_gradients_pass_through(self) -> None:
        domain = self.prepared_domain()
        wave = _audio(domain, 2, frames=4, loud=QUIET).requires_grad_()
        domain(wave).square().sum().backward()
        assert wave.grad is not None
        assert wave.grad.isfinite().all()
        assert (wave.grad != 0).float().mean() > 0.5, "most samples have no say in x"

    def test_silence_is_finite_even_where_nothing_else_was_measured(self) -> None:
        domain = self.domain()
        silence = torch.zeros(1, 2, 4 * domain.stride)
        domain.fit_statistics(iter([silence]))
        x = domain(silence)
        assert x.isfinite().all()
        assert domain.inverse(x, silence.shape[-1]).isfinite().all()

    def test_white_noise_in_x_is_white_noise_in_the_audio(self) -> None:
        """As far as second moments tell: no sample, channel or lag is like another."""
        domain = self.domain()
        frames = max(8, 2**15 // domain.channels)
        wave = domain.inverse(white(4, domain.channels, frames), frames * domain.stride)
        wave = wave[..., domain.context_frames * domain.stride :]
        left, right = (wave / loudness(wave)).unbind(1)
        products = {f"samples {lag} apart": left[:, lag:] * left[:, :-lag] for lag in range(1, 6)}
        products["both channels"] = left * right
        worst = max(products, key=lambda product: products[product].mean().abs().item())
        like = products[worst].mean().abs().item()
        assert like < 0.05, f"{worst} are alike by {like:.2f}: levels of noise mean something else"

    def test_one_pass_over_the_waves_is_enough_to_measure(self) -> None:
        again, once = self.domain(), self.domain()
        waves = list(_audio(once, 2, frames=16, loud=QUIET).split(1))
        again.fit_statistics(waves)
        once.fit_statistics(iter(waves))
        rule = "the waves can be gone through once only"
        torch.testing.assert_close(once(waves[0]), again(waves[0]), msg=rule)

    def test_music_has_about_unit_variance_once_measured(self) -> None:
        domain = self.prepared_domain()
        found = loudness(domain(_audio(domain, 2, frames=64, loud=QUIET)))
        assert 0.5 < found < 2, f"x has a deviation of {found:.2g}; diffusion expects about 1"

    def test_what_is_measured_is_kept_by_the_state(self) -> None:
        domain, fresh = self.prepared_domain(), self.domain()
        state = {
            name: tensor.detach().contiguous().clone()
            for name, tensor in domain.state_dict().items()
        }
        fresh.load_state_dict(load(save(state)))
        wave = _audio(domain, 2, frames=4)
        x, length = domain(wave), wave.shape[-1]
        assert torch.equal(fresh(wave), x), "weights that are loaded show other coordinates"
        assert torch.equal(fresh.inverse(x, length), domain.inverse(x, length))

    @EACH_CHANNELS
    def test_importance_is_one_on_average(self, audio_channels: int) -> None:
        domain = self.prepared_domain(audio_channels)
        importance = domain.channel_weights()
        if importance is None:
            return
        assert importance.shape == (domain.channels,)
        assert (importance >= 0).all()
        assert importance.mean().item() == pytest.approx(1, abs=1e-3)

    @pytest.mark.parametrize("sizes", [[7], [1, 6], [3, 1, 3], [1] * 7, [4, 0, 3]])
    def test_pieces_make_the_audio_that_the_whole_makes(self, sizes: list[int]) -> None:
        domain = self.prepared_domain()
        x = white(2, domain.channels, 7)
        for length in sorted({1, 3 * domain.stride, 7 * domain.stride - 1, 7 * domain.stride}):
            whole = domain.inverse(x, length)
            heard = torch.cat([*domain.stream(x.split(sizes, -1), length)], -1)
            assert heard.shape == whole.shape
            frames = domain.context_frames
            rule = f"a piece hears more of its neighbours than `context_frames` ({frames}) frames"
            assert loudness(heard - whole) <= 1e-3 * loudness(whole), rule

    @EACH_CHANNELS
    def test_it_works_out_shapes_where_there_are_no_numbers(self, audio_channels: int) -> None:
        domain = self.domain(audio_channels, device="meta")
        wave = torch.zeros(2, audio_channels, 4 * domain.stride, device="meta")
        domain.fit_statistics(iter([wave]))
        x = domain(wave)
        assert (x.shape, x.device.type) == ((2, domain.channels, 4), "meta")
        back = domain.inverse(x, wave.shape[-1] - 1)
        assert (back.shape, back.device.type) == ((2, audio_channels, wave.shape[-1] - 1), "meta")


def _audio(domain: Domain, audio_channels: int, frames: int, *, loud: float = 1.0) -> Tensor:
    """Return two clips of noise with a chord in it, about as loud as noise of such deviation."""
    length = frames * domain.stride
    return loud * (white(2, audio_channels, length) + chords(2, audio_channels, length))
