"""Log power at two resolutions: fine in frequency below a crossover, fine in time above it.

Low notes lie close together and drums are short: no single window shows both.
Legend: b batch, c channels, t samples, n frames, k bins, m bands.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, log

import torch
from einops import rearrange
from torch import Tensor, nn

import mousai_kit.api as mk

FLOOR = 1e-9
"""Power under which all is silence: white noise of unit variance has power 1."""
LEVELS = -7.0, 4.0
"""Bounds of the log ratio of the side's power to the mid's."""
STEREO = 0.02
"""What each of the two facts of stereo counts, where all bins and bands of the mid count 1."""
HIGHEST = 0.375
"""Share of the sample rate above which there are bands only, at any rate."""


class SpectrumOptions(mk.Options):
    """How log power is told at two resolutions."""

    low: int = mk.Field(
        4096, ge=64, le=32768, multiple_of=4, description="samples under a window of the low bins"
    )
    high: int = mk.Field(
        1024, ge=16, le=32768, multiple_of=4, description="samples under a window of the high bands"
    )
    crossover: float = mk.Field(
        5000.0,
        gt=0,
        description="Hz where bands take over; at most three quarters of what the rate can hold",
    )
    bands: int = mk.Field(40, ge=1, le=512, description="bands above, about as wide as mel bands")
    stereo_bands: int = mk.Field(24, ge=1, le=512, description="bands that stereo is told in")

    def check_fit(self, sample_rate: int, hop: int) -> None:
        """Raise PluginError where a hop doesn't go with the windows, or they with the crossover."""
        if hop % (self.high // 4) or self.low < 2 * hop:
            raise mk.PluginError(
                f"frames of {hop} samples need a `low` window of at least twice as many (got "
                f"{self.low}) and a quarter of `high` that divides them (got {self.high // 4})"
            )
        if self.crossover < (lowest := sample_rate / min(self.low, self.high)):
            raise mk.PluginError(
                f"a `crossover` of {self.crossover:g} Hz leaves nothing below it: at {sample_rate} "
                f"Hz the windows `low` and `high` tell {lowest:g} Hz and more"
            )


class BandSplitSpectrum(nn.Module):
    """Log power of the mid channel in bins below `crossover` and in bands above, and stereo facts.

    Everything comes at one rate, a frame each `hop` samples, centred on the frame's first sample.
    Bins are those of a window of `low` samples. Bands are about as wide as mel bands, of a window
    of `high` samples, each at `hop / (high / 4)` moments of a frame. Of stereo, the side channel is
    told by its level against the mid's and by how far it is a copy of it, in `stereo_bands`. Of
    more than two channels the mid is their mean, and there is no side.
    """

    low_window: Tensor
    high_window: Tensor
    bands: Tensor
    stereo: Tensor

    def __init__(
        self, options: SpectrumOptions, *, audio_channels: int, sample_rate: int, hop: int
    ) -> None:
        super().__init__()
        options.check_fit(sample_rate, hop)
        self.hop, self.sample_rate = hop, sample_rate
        self.low, self.high = low, high = options.low, options.high
        self.parts = 4 * hop // high
        highest = min(options.crossover, HIGHEST * sample_rate)
        self.low_bins = round(highest / sample_rate * low)
        self.first = round(highest / sample_rate * high)
        self.register_buffer("low_window", torch.hann_window(low), persistent=False)
        self.register_buffer("high_window", torch.hann_window(high), persistent=False)
        self.edges = _edges(self.first, high // 2, options.bands, sample_rate / high)
        self.register_buffer("bands", _means(self.edges), persistent=False)
        self.two = audio_channels == 2
        self.stereo_edges = _edges(1, low // 2, options.stereo_bands, sample_rate / low)
        self.register_buffer("stereo", _means(self.stereo_edges), persistent=False)
        self.sizes = [self.low_bins, len(self.bands) * self.parts]
        self.sizes += [len(self.stereo), len(self.stereo)] if self.two else []
        self.features = sum(self.sizes)

    def forward(self, wave: Tensor) -> Tensor:
        """Return features [b, features, t / hop] of audio [b, c, t], t a multiple of `hop`."""
        with mk.without_autocast(wave.device):
            return self._features(wave.float())

    def channel_weights(self) -> Tensor:
        """Return how much each feature's error counts [features]: as on a mel scale.

        Of the mid all count 1 together, of stereo each fact `STEREO`.
        """
        width, wider = self.sample_rate / self.low, self.sample_rate / self.high
        bins = torch.arange(1, self.low_bins + 1)
        begins, ends = torch.tensor(self.edges[:-1]), torch.tensor(self.edges[1:])
        low = width / (bins * width + 700)
        high = (ends - begins) * wider / ((begins + ends) / 2 * wider + 700)
        total = low.sum() + high.sum()
        weights = [low / total, (high / total / self.parts).repeat_interleave(self.parts)]
        if self.two:
            weights.append(torch.full((2 * len(self.stereo),), STEREO / len(self.stereo)))
        return torch.cat(weights)

    def split(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return bins [b, k, n], bands [b, m, n * parts], and of stereo levels and likenesses."""
        low, high, *stereo = features.split(self.sizes, dim=1)
        return low, rearrange(high, "b (m p) n -> b m (n p)", p=self.parts), *stereo

    def _features(self, wave: Tensor) -> Tensor:
        mid = wave.mean(1)
        frames = wave.shape[-1] // self.hop
        spectrum = mk.stft(mid, self.low_window, self.hop)[..., :frames]
        power = _power(spectrum, self.low_window)
        high = _power(mk.stft(mid, self.high_window, self.high // 4), self.high_window)
        banded = self.bands @ high[:, self.first : self.high // 2, : frames * self.parts]
        powers = [
            power[:, 1 : self.low_bins + 1],
            rearrange(banded, "b m (n p) -> b (m p) n", p=self.parts),
        ]
        facts = self._stereo(wave, spectrum, frames) if self.two else []
        return torch.cat([*((part + FLOOR).log() for part in powers), *facts], 1)

    def _stereo(self, wave: Tensor, mid: Tensor, frames: int) -> list[Tensor]:
        """Return the side's level [b, m, n] and likeness [b, m, n] to the mid, -1 to 1."""
        side = mk.stft((wave[:, 0] - wave[:, 1]) / 2, self.low_window, self.hop)[..., :frames]
        common = mid.real * side.real + mid.imag * side.imag
        common, own, other = (
            self.stereo @ product[:, 1 : self.low // 2] / energy(self.low_window)
            for product in (common, _square(mid), _square(side))
        )
        level = ((other + FLOOR) / (own + FLOOR)).log().clamp(*LEVELS)
        return [level, common / ((own + FLOOR) * (other + FLOOR)).sqrt()]


def energy(window: Tensor) -> float:
    """Return the power that white noise of unit variance has in a bin under a Hann window."""
    return 0.375 * len(window)


def _power(spectrum: Tensor, window: Tensor) -> Tensor:
    return _square(spectrum) / energy(window)


def _square(spectrum: Tensor) -> Tensor:
    """Return the squared magnitudes, whose gradient is finite at 0."""
    return spectrum.real.square() + spectrum.imag.square()


def _edges(first: int, last: int, bands: int, width: float) -> list[int]:
    """Return the bins at which bands begin that are about equally wide on a mel scale."""
    lowest, highest = (1127 * log(1 + edge * width / 700) for edge in (first, last))
    steps = [lowest + (highest - lowest) * number / bands for number in range(bands + 1)]
    wanted = {round(700 * (exp(step / 1127) - 1) / width) for step in steps}
    return sorted({first, last} | {edge for edge in wanted if first < edge < last})


def _means(edges: list[int]) -> Tensor:
    """Return the matrix [m, k] that averages the bins between each two edges."""
    means = torch.zeros(len(edges) - 1, edges[-1] - edges[0])
    for band, (begin, end) in enumerate(pairwise(edges)):
        means[band, begin - edges[0] : end - edges[0]] = 1 / (end - begin)
    return means


def ramps(edges: list[int]) -> Tensor:
    """Return the matrix [k, m] that draws straight lines from band to band through the bins."""
    places = torch.arange(edges[0], edges[-1]) + 0.5
    middles = (torch.tensor(edges[:-1]) + torch.tensor(edges[1:])) / 2
    matrix = torch.zeros(len(places), len(middles))
    if len(middles) == 1:
        return matrix + 1
    after = torch.searchsorted(middles, places).clamp(1, len(middles) - 1)
    share = ((places - middles[after - 1]) / (middles[after] - middles[after - 1])).clamp(0, 1)
    matrix.scatter_(1, after[:, None], share[:, None])
    return matrix.scatter_(1, after[:, None] - 1, 1 - share[:, None])
