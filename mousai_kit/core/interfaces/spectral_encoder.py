"""Spectral encoder: audio becomes a short latent sequence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor, nn

from mousai_kit.core.component import Component, Options


class SpectralEncoder(Component, nn.Module):
    """Turns audio into latents by way of its spectrum.

    Built with `audio_channels` and `sample_rate` (Hz), and with `layout` where the constructor
    takes it (`layout: mk.ChannelLayout | None = None`): that of the domain in which its latents are
    decoded, None where there is none.
    """

    kind: ClassVar[str] = "spectral_encoder"
    build_kwargs: ClassVar[tuple[str, ...]] = ("audio_channels", "sample_rate")
    optional_build_kwargs: ClassVar[tuple[str, ...]] = ("layout",)

    channels: int
    """Channels of the latent."""
    downsampling: int
    """Samples per latent frame."""

    def __init__(self, options: Options, *, audio_channels: int, sample_rate: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, wave: Tensor) -> Tensor:
        """Encode audio [b, c, t] in [-1, 1] to latents [b, channels, t / downsampling].

        t is a multiple of `downsampling`: the stage pads. Latents lie in [-1, 1] whatever was
        learned (by tanh, say), as the noise that is added to them has that scale. Clips don't mix;
        silence has finite latents and gradients.
        """

    def fit_statistics(self, waves: Iterable[Tensor]) -> None:
        """Measure what must be known before training, from audio [b, c, t]; default: nothing.

        The waves can be gone through once. Silence, or none at all, must leave a usable encoder.
        """

    def repeated_blocks(self) -> Iterable[nn.Module]:
        """Return the modules that training may recompute or compile, as `UNet`'s; default: none."""
        return ()
