"""Musical metrics: whether notes, pitches and attacks are where those of the real sound are.

Each compares short-time spectra (Hann window) of the average of the channels: what cancels in that
average, as a sound does that one channel has upside down, is not heard. Windows and hops are stated
in samples at 48 kHz and last as long at any rate, so that bins and frames stay as wide. Beyond its
ends a clip is mirrored; one that is no longer than half a window has silence there. A clip that
has nothing to be compared by, such as silence, scores 0 with any other, itself included.

Legend: b clips, c channels, t time in samples, f bins or bands of frequency, n frames.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

import mousai_kit.api as mk

STATED_AT = 48_000
"""The sample rate in Hz at which windows and hops are stated."""


class CorrelationMetric(mk.Metric):
    """Pearson's correlation of features of both sounds, mean over clips.

    That of values that are all but the same (within 0.001 dB) is 0: only rounding moves them.
    """

    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def __init__(self, options: mk.Options, *, sample_rate: int) -> None:
        self.sample_rate = sample_rate

    @abstractmethod
    def features(self, wave: Tensor) -> Tensor:
        """Return what is compared of audio [b, c, t], in dB [b, ...]."""

    def score(self, generated: Tensor, reference: Tensor) -> float:
        """Return the mean over clips, -1 to 1, of audio [b, c, t] and [b, c, t]."""
        values = [self.features(wave).double().flatten(1) for wave in (generated, reference)]
        ours, theirs = (each - each.mean(1, keepdim=True) for each in values)
        least = 1e-3 * max(1, ours.shape[1]) ** 0.5
        vary = (ours.norm(dim=1) > least) & (theirs.norm(dim=1) > least)
        return float((vary * torch.cosine_similarity(ours, theirs, dim=1).clamp(-1, 1)).mean())


class Lines(CorrelationMetric):
    """Correlation of the spectra's fine structure, where held notes are lines: 1 the same, 0 noise.

    Pearson's, over all bins and frames, of the log power from 60 to 5,000 Hz less its mean over 31
    bins (182 Hz). Windows of 8192 samples at 48 kHz (171 ms) every 2048 (43 ms); floor -90 dB.
    """

    name = "lines"

    def features(self, wave: Tensor) -> Tensor:
        """Return how much louder each bin is than those around it, in dB [b, n, f]."""
        hertz, power = _power(wave, self.sample_rate, window=8192, hop=2048)
        level = _decibels(power[:, _band(hertz, 60, 5000)], floor=-90).mT
        return level - avg_pool1d(level, 31, 1, 15, count_include_pad=False)


class Pitch(mk.Metric):
    """Likeness of pitch classes (chroma): 1 the same notes, near 0 other ones, 0.2 plain noise.

    The cosine between chroma vectors, averaged over frames. A chroma vector sums
    log(1 + 100 P / mean P), 60 to 2,000 Hz, into 12 pitch classes (A at 440 Hz), a bin the less the
    further it is from its semitone, averages that over `seconds` or all of a shorter clip, and has
    its mean taken off. Windows of 16384 samples at 48 kHz (341 ms) every 2048 (43 ms).
    Frames that are silent in both sounds do not count; one that is silent in one of them counts 0.
    Noise scores about 0.2 with music, and more with noise: bins are spread unevenly over classes.
    """

    name = "pitch"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    class Options(mk.Options):
        """Options of `metric: pitch`."""

        seconds: float = mk.Field(
            0.5, ge=0.01, le=60, description="chroma is averaged over this long, in whole frames"
        )

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.frames = max(1, int(options.seconds * sample_rate / _samples(2048, sample_rate)))

    def score(self, generated: Tensor, reference: Tensor) -> float:
        """Return the mean over clips, -1 to 1, of audio [b, c, t] and [b, c, t]."""
        ours, theirs = self._chroma(generated), self._chroma(reference)
        cosine = torch.cosine_similarity(ours, theirs, dim=1).clamp(-1, 1)
        heard = (ours.norm(dim=1) > 1e-8) | (theirs.norm(dim=1) > 1e-8)
        return float((cosine.sum(-1) / heard.sum(-1).clamp(min=1)).mean())

    def _chroma(self, wave: Tensor) -> Tensor:
        """Return the pitch classes less their mean [b, 12, n]; n is 1 for a clip that is short."""
        hertz, power = _power(wave, self.sample_rate, window=16384, hop=2048)
        band = _band(hertz, 60, 2000)
        power = power[:, band]
        relative = power / power.mean((1, 2), keepdim=True).clamp(min=1e-12)
        chroma = _pitch_classes(hertz[band]) @ (100 * relative).log1p()
        smooth = avg_pool1d(chroma, min(self.frames, chroma.shape[-1]), 1).double()
        return smooth - smooth.mean(1, keepdim=True)


class Attacks(CorrelationMetric):
    """Correlation of onset envelopes: 1 where notes begin when the real ones do, near 0 by chance.

    Pearson's, over all frames, of the rise in dB since the frame before, falls counting 0, averaged
    over 40 mel bands (O'Shaughnessy's scale) from 20 Hz to 20 kHz or half the rate. Windows of 2048
    samples at 48 kHz (43 ms) every 512 (11 ms); floor -80 dB.
    """

    name = "attacks"

    def features(self, wave: Tensor) -> Tensor:
        """Return the rise of each frame in dB [b, n - 1]."""
        hertz, power = _power(wave, self.sample_rate, window=2048, hop=512)
        highest = min(20_000.0, self.sample_rate / 2)
        filters: Tensor = mk.torchaudio.functional.melscale_fbanks(
            len(hertz), 20.0, highest, 40, self.sample_rate
        )
        level = _decibels(filters.T.to(power) @ power, floor=-80)
        return level.diff(dim=-1).clamp(min=0).mean(1)


def _power(wave: Tensor, sample_rate: int, *, window: int, hop: int) -> tuple[Tensor, Tensor]:
    """Return the bins' frequencies [f] in Hz and the power [b, f, n] of audio [b, c, t]."""
    mono = wave.float().mean(1)
    size = 2 * _samples(window // 2, sample_rate)  # even: mel filters take half the rate for a bin
    spectrum = torch.stft(
        mono,
        size,
        _samples(hop, sample_rate),
        window=torch.hann_window(size, device=wave.device),
        pad_mode="reflect" if mono.shape[-1] > size // 2 else "constant",
        return_complex=True,
    )
    hertz = torch.fft.rfftfreq(size, 1 / sample_rate, device=wave.device)
    return hertz, spectrum.abs().square()


def _samples(stated: int, sample_rate: int) -> int:
    """Return how many samples last as long as those `stated` at 48 kHz."""
    return round(stated * sample_rate / STATED_AT)


def _band(hertz: Tensor, lowest: float, highest: float) -> Tensor:
    """Return which bins [f] lie within a band, its ends included."""
    return (hertz >= lowest) & (hertz <= highest)


def _decibels(power: Tensor, *, floor: float) -> Tensor:
    """Return power in dB, at least `floor`."""
    return 10 * power.clamp(min=10 ** (floor / 10)).log10()


def _pitch_classes(hertz: Tensor) -> Tensor:
    """Return how much bins of `hertz` [f] count for the pitch classes [12, f], C first.

    1 at a semitone, 0 half-way between two.
    """
    note = 69 + 12 * (hertz / 440).log2()
    nearest = note.round()
    weights = 1 - 2 * (note - nearest).abs()
    nothing = torch.zeros(12, len(hertz), device=hertz.device)
    return nothing.scatter(0, nearest.long()[None] % 12, weights[None])
