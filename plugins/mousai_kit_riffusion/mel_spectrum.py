"""Mel magnitudes of audio, and audio of mel magnitudes by Griffin-Lim.

Legend: b batch, t samples, n frames, k bins of the STFT, m mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk

FRAMES_AT_ONCE = 256
"""Frames that are transformed at a time: about what a processor's cache holds."""
GROUPS = 8
"""Groups of bands that are filtered one by one, each from the bins that it needs."""

RIDGE = 1e-6
"""Added to the diagonal of an inverse, of filters whose peaks are about 1."""


@dataclass(frozen=True, slots=True)
class MelSettings:
    """What a mel spectrum is made with; the defaults are Riffusion's, but for the rate."""

    sample_rate: int
    bands: int = 512
    hop_ms: float = 10.0
    window_ms: float = 100.0
    padding: int = 4
    """Times the window's length that a frame of the STFT has, the rest being zeros."""
    lowest: float = 0.0
    highest: float = 10_000.0
    """Hz; the mel scale between them is HTK's, 2595 log10(1 + f / 700)."""

    @property
    def hop(self) -> int:
        """Return the samples from frame to frame."""
        return max(1, int(self.sample_rate * self.hop_ms / 1000))

    @property
    def window(self) -> int:
        """Return the samples under a window, an even number."""
        return max(2, 2 * int(self.sample_rate * self.window_ms / 2000))

    @property
    def n_fft(self) -> int:
        """Return the samples of a frame, zeros included."""
        return self.padding * self.window

    def filters(self) -> Tensor:
        """Return the triangular filters [bands, bins], bins up to the highest that is heard.

        RequestError where the audio has no such frequencies, or a band no bin.
        """
        nyquist = self.sample_rate / 2
        if self.highest > nyquist:
            raise mk.RequestError(
                f"mel-picture: audio at {self.sample_rate} Hz ends at {nyquist:g} Hz; set "
                f"`highest` to that or less (got {self.highest:g})"
            )
        bins = torch.arange(self.n_fft // 2 + 1, dtype=torch.float64)
        hertz = bins * (self.sample_rate / self.n_fft)
        first, last = (2595 * log10(1 + end / 700) for end in (self.lowest, self.highest))
        edges = torch.linspace(first, last, self.bands + 2, dtype=torch.float64)
        low, middle, high = (700 * (10 ** (edges / 2595) - 1)).unfold(0, 3, 1).T[..., None]
        rise, fall = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
        filters = torch.minimum(rise, fall).clamp(min=0).float()
        if empty := int((filters == 0).all(1).sum()):
            raise mk.RequestError(
                f"mel-picture: {empty} of {self.bands} bands lie between two bins of the STFT; "
                "take fewer `bands`, or a longer `window` or `padding`"
            )
        return filters[:, : int(filters.any(0).nonzero().max()) + 1]


class MelSpectrum(nn.Module):
    """Mel magnitudes of audio with `settings`, there and back; nothing is learned.

    The way back: magnitudes of all bins with the least squares whose bands these are, none below 0;
    then the fast Griffin-Lim algorithm (Perraudin et al., 2013), which looks at every
    `settings.padding / playback_padding`-th bin. It begins from phases that each bin has in all
    frames, so that the same magnitudes make the same wave wherever they are. They are no zeros:
    from these frames cancel each other exactly, and rounding decides on what is heard.
    """

    taper: Tensor
    wide_taper: Tensor
    """With zeros around it, as long as Griffin-Lim's frames."""
    mel_filters: Tensor
    spread: Tensor
    phases: Tensor
    """Of each bin, a complex number of magnitude 1."""

    def __init__(
        self,
        settings: MelSettings,
        *,
        iterations: int = 32,
        momentum: float = 0.99,
        playback_padding: int | None = None,
    ) -> None:
        super().__init__()
        self.settings, self.iterations, self.momentum = settings, iterations, momentum
        self.playback_padding = playback_padding or settings.padding
        home, n_fft = torch.get_default_device(), self.playback_padding * settings.window
        with torch.device("cpu"):
            filters, taper = settings.filters(), torch.hann_window(settings.window)
            around = (n_fft - settings.window) // 2
            turns = torch.rand(n_fft // 2 + 1, generator=torch.Generator().manual_seed(0))
            made = {
                "taper": taper,
                "wide_taper": F.pad(taper, (around, around)),
                "mel_filters": filters,
                "spread": _inverse(filters)[:: settings.padding // self.playback_padding],
                "phases": torch.polar(torch.ones_like(turns), 2 * torch.pi * turns),
            }
        places = [group.any(0).nonzero().flatten() for group in filters.tensor_split(GROUPS)]
        self.bins = [slice(int(place[0]), int(place[-1]) + 1) for place in places]
        for name, tensor in made.items():
            self.register_buffer(name, tensor.to(home), persistent=False)

    @property
    def reach(self) -> int:
        """Return the frames on either side that have a say in a frame's wave.

        An iteration brings together what a window covers, and so does where they begin from.
        """
        return (self.iterations + 2) * -(-self.settings.window // self.settings.hop)

    def magnitudes(self, wave: Tensor) -> Tensor:
        """Return mel magnitudes [..., m, n] of audio [..., t], n = t // hop; silence around it.

        Frame i has its middle at sample i * hop.
        """
        window, hop = self.settings.window, self.settings.hop
        flat = F.pad(wave.float().reshape(-1, wave.shape[-1]), (window // 2, window // 2))
        frames = flat.unfold(-1, window, hop)[:, : wave.shape[-1] // hop]
        made = [self._filter(part) for part in frames.flatten(0, 1).split(FRAMES_AT_ONCE)]
        mel = torch.cat(made).unflatten(0, frames.shape[:2]).transpose(1, 2)
        return mel.reshape(*wave.shape[:-1], *mel.shape[1:])

    def wave(self, magnitudes: Tensor) -> Tensor:
        """Return audio [b, c, n * hop] of mel magnitudes [b, c, m, n]."""
        hop, frames = self.settings.hop, magnitudes.shape[-1]
        if magnitudes.is_meta:
            return magnitudes.new_zeros(*magnitudes.shape[:2], frames * hop)
        known = (self.spread @ magnitudes.float().flatten(0, 1)).clamp(min=0)
        magnitude = torch.cat([known, known[..., -1:]], -1)  # the frame at the end of the wave
        missing = len(self.phases) - known.shape[1]
        whole = F.pad(magnitude, (0, 0, 0, missing))
        wave = mk.griffin_lim(
            whole,
            mk.inverse_stft(whole * self.phases[:, None], self.wide_taper, hop),
            window=self.wide_taper,
            hop=hop,
            rounds=self.iterations,
            momentum=self.momentum,
        )
        return wave.unflatten(0, magnitudes.shape[:2])

    def _filter(self, frames: Tensor) -> Tensor:
        """Return mel magnitudes [n, m] of frames [n, samples of a window]."""
        bins = self.mel_filters.shape[1]
        spectrum = torch.fft.rfft(frames * self.taper, n=self.settings.n_fft)[:, :bins]
        magnitude = torch.view_as_real(spectrum).square().sum(-1)
        magnitude = magnitude.clamp(min=1e-20).sqrt()  # whose gradient at 0 is none
        groups = zip(self.mel_filters.tensor_split(GROUPS), self.bins, strict=True)
        return torch.cat([magnitude[:, bins] @ group[:, bins].T for group, bins in groups], 1)


def _inverse(filters: Tensor) -> Tensor:
    """Return the matrix [k, m] that gives the smallest magnitudes with given bands."""
    exact = filters.double()
    product = exact @ exact.T
    product.diagonal().add_(RIDGE)
    return torch.linalg.solve(product, exact).T.float()
