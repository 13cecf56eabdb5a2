"""The adversary of an autoencoder: networks that learn to tell what is made from music.

Legend: b clips, c channels, t samples, f bins of frequency, m frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_stable_audio.spectral_loss import spectrum

SLOPE = 0.2
"""Of a leaky rectifier below 0."""
STRIDES = ((2, 1), (2, 2), (2, 2))
"""How far the layers behind the first step, in bins and in frames."""


class AdversaryOptions(mk.Options):
    """Options of `adversary`."""

    windows: list[Annotated[int, mk.Field(ge=32, le=65536)]] = mk.Field(
        [2048, 1024, 512, 256, 128],
        min_length=1,
        description="windows in samples of the spectra that it sees; a network each",
    )
    channels: int = mk.Field(32, ge=1, description="channels of its networks")
    weight: float = mk.Field(0.1, gt=0, description="how much the autoencoder heeds its verdict")
    features: float = mk.Field(
        5.0, ge=0, description="how much it is to look like music inside those networks, too"
    )


class Adversary(nn.Module):
    """Discriminators of complex spectra at several resolutions (Defossez et al., 2022, EnCodec).

    The hinge game (Lim & Ye, 2017) in one loss: the autoencoder's share reaches the adversary's
    answer through weights that stand still, the adversary's share sees what was made as data. So
    each gradient goes to its own side, and one optimiser moves both at once.
    """

    def __init__(self, options: AdversaryOptions, *, channels: int) -> None:
        super().__init__()
        self.weight, self.features = options.weight, options.features
        self.networks = nn.ModuleList(
            SpectrumDiscriminator(channels, options.channels, window) for window in options.windows
        )

    def forward(self, made: Tensor, music: Tensor) -> Tensor:
        """Return the sum of both sides' losses per clip [b], for audio [b, c, t]."""
        losses = [self._game(network, made, music) for network in self._each()]
        return torch.stack(losses).mean(0)

    def verdicts(self, wave: Tensor) -> Tensor:
        """Return the mean verdict on audio [b, c, t] per clip [b]: above 0 it counts as music."""
        return torch.stack([_mean(network(wave)[0]) for network in self._each()]).mean(0)

    def _game(self, network: SpectrumDiscriminator, made: Tensor, music: Tensor) -> Tensor:
        """Return both losses of the game against one network [b]."""
        still = {name: weight.detach() for name, weight in network.named_parameters()}
        verdict, seen = torch.func.functional_call(network, still, (made,))
        on_music, real = network(music)
        on_made, _ = network(made.detach())
        likeness = torch.stack(
            [_mean((one - other.detach()).abs()) for one, other in zip(seen, real, strict=True)]
        )
        autoencoders = -self.weight * _mean(verdict) + self.features * self.weight * likeness.mean(
            0
        )
        return autoencoders + _mean(F.relu(1 - on_music)) + _mean(F.relu(1 + on_made))

    def _each(self) -> Iterator[SpectrumDiscriminator]:
        return iter(cast("list[SpectrumDiscriminator]", list(self.networks)))


class SpectrumDiscriminator(nn.Module):
    """Convolutions over a complex spectrum, which give a verdict for each place in it."""

    def __init__(self, channels: int, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, width, (9, 3), stride=stride, padding=(4, 1))
            for inputs, stride in [
                (2 * channels, (1, 1)),
                *((width, stride) for stride in STRIDES),
            ]
        )
        self.leave = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return verdicts [b, 1, f, m] on audio [b, c, t], and what the layers see in it."""
        found = spectrum(wave.float(), self.window) / self.window**0.5
        x, seen = torch.cat([found.real, found.imag], 1), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            seen.append(x)
        return self.leave(x), seen


def _mean(values: Tensor) -> Tensor:
    """Return the mean per clip [b] of [b, ...]."""
    return values.float().flatten(1).mean(1)
