"""Mel pictures: one panel per strip, with axes and a scale of colours, drawn in a moment.

matplotlib would take longer to import, and again to draw, than it takes to make a short clip.
"""

from __future__ import annotations

import math
from base64 import b85decode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mousai_kit.audio.spectrogram import StreamingMel, slaney_mel

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

WIDTH, HEIGHT = 1210, 352
"""Pixels of a panel."""
LEFT, TOP, RIGHT, BOTTOM = 67, 26, 1104, 300
"""Pixels of a panel's axes."""
SCALE = 1126, 1140
"""Pixels from left to right of the scale of colours."""
TICK, GAP = 5, 5
"""Pixels of a tick, and from there to its label."""
SMALL, USUAL = 14, 15
"""Pixels of a title's letters, and of labels'."""
RANGE = 70.0
"""dB from the loudest colour to the softest."""
MOST_TICKS = 9
"""Intervals between ticks of an axis, at most."""
INK, PAPER = (0, 0, 0), (255, 255, 255)
_MAGMA = (
    "000C500jX71_1#G0s#pE0t*5H4FdxY0|OES1QZ1X76t_v1_c@i1{??n9tj5^3J4+#2_y^&CJhQH4ht&~3oQ{0FA@zg6A"
    "d&J4mK4II2I2(7!N%e5I-6aLL3l89T7(!5lJ8sOCb?XA`ws|5>q7-RVNZyDG^#K5nL=0Uo8<~FA-xg5oI$FXEYFLHV|t"
    "#5NtUQZaWWfJr8j|4{|^cbV3hxL=SdF5O+rqcu5d=N)UNW5qeG$druO3Q4)Mo6MR$?eO45GR~3F)6@FS4eq0uRT^D~}7"
    "=K_GfMOYdWEy~F8h~dTfM^_nY8-)U9f55ffo>jwa36tkAAxfqfpsB)b|HayB7u1#f_o!^d?SK>B!Yk?f`KK0gC>E5CV_"
    "@0frux8i70`KDS?bBfsQJHkSc+ZD}j?MfRrqNmMnmnEr6LVfSWFVoGyQ!FMpsff1xmbqcDD@F@B~oeW)^hsxy77GkmQy"
    "e6BQmur+(KHG8u*dbKusw>NpXH+i}^c)U4yy*YQkI(NW2cEUS##5{GyJaorBbI3k(%06<;KXJ`KanC?-&_Qp~LT}SUZq"
    "-C>)<taCMQqtdYuiU^+(>EONoe0nXy8m|;!S4bPG#gzWaUs~=Tc+nQ)1~<V(M05>sMgxSYYj1U+!C8?_FN-UtaNGUGid"
    "G@?>1|WnA=UT=Z#N^=n-AY+UwkT=#HX_i|kLbX@p$T={ri`FUOWdtLf{UiyDt`hj2jgJ1iFVEcz*{E1=wiemhXWBiU}{"
    "E%h+l4kvsXZ@CF{g`R}nri)<YyO>V{-16Bp>F=8Z~mom{-<*OsdN6SbpEV%{;qfauz3Emdj7O~{<eJnw|@S)fBw6H{=I"
    "_!zl8q5h5o{a{=|s>#)|&PjQ+}v{>+d5&5-`jlK#<@{?nEI)tCO)nf}<C{o0)U+@Ag3p#9*X{o<qj<E8!Or~T)t{pqUx"
    ">#Y3juKez>{P42;^0fT)w*2<E{P(&1`Mdo4z5M;Z"
)
"""Red, green and blue of matplotlib's colour map of the name, 256 colours, in base 85."""


def plot_mels(path: Path, strips: Mapping[str, StreamingMel]) -> None:
    """Draw a mel picture (PNG): one panel per titled strip.

    All panels have the same colours: 70 dB down from the loudest point of the first.
    """
    from PIL import Image

    mels = [strip.mel().numpy() for strip in strips.values()]
    loudest = float(mels[0].max())
    picture = Image.new("RGB", (WIDTH, HEIGHT * len(strips)), PAPER)
    for row, ((title, strip), mel) in enumerate(zip(strips.items(), mels, strict=True)):
        panel = _Panel(loudest)
        panel.strip(mel)
        panel.scale()
        panel.label(_drawable(title), (LEFT, TOP - GAP), "ls", SMALL)
        panel.frequencies(len(mel), strip.sample_rate)
        panel.seconds(strip.samples / strip.sample_rate, named=row == len(mels) - 1)
        picture.paste(panel.image, (0, HEIGHT * row))
    part = path.with_name(f".{path.name}.part")
    picture.save(part, format="PNG")
    part.replace(path)


class _Panel:
    """An empty panel; `loudest` is the dB of its brightest colour."""

    def __init__(self, loudest: float) -> None:
        from PIL import Image, ImageDraw

        self.loudest = loudest
        self.image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def strip(self, mel: npt.NDArray[np.float32]) -> None:
        """Draw a log-mel spectrogram [bands, columns] in dB, the low bands below."""
        from PIL import Image

        size = (RIGHT - LEFT, BOTTOM - TOP)
        shown = Image.fromarray(mel[::-1].copy()).resize(size, Image.Resampling.HAMMING)
        self.image.paste(self._colour(np.asarray(shown)), (LEFT, TOP))
        self._draw.rectangle((LEFT, TOP, RIGHT, BOTTOM), outline=INK)

    def scale(self) -> None:
        """Draw what the colours mean, at the right."""
        first, last = SCALE
        levels = np.linspace(self.loudest, self.loudest - RANGE, BOTTOM - TOP, dtype=np.float32)
        bar = np.repeat(levels[:, None], last - first, axis=1)
        self.image.paste(self._colour(bar), (first, TOP))
        self._draw.rectangle((first, TOP, last, BOTTOM), outline=INK)
        for value, text in _ticks(self.loudest - RANGE, self.loudest):
            y = round(TOP + (self.loudest - value) / RANGE * (BOTTOM - TOP))
            self._draw.line((last, y, last + TICK, y), fill=INK)
            self.label(text, (last + TICK + GAP, y), "lm")
        self._upright("dB", WIDTH - 20)

    def frequencies(self, bands: int, sample_rate: int) -> None:
        """Draw the axis of mel bands, with some frequencies."""
        for place, text in zip(*_frequency_ticks(bands, sample_rate), strict=True):
            y = round(BOTTOM - place / bands * (BOTTOM - TOP))
            self._draw.line((LEFT - TICK, y, LEFT, y), fill=INK)
            self.label(text, (LEFT - TICK - GAP, y), "rm")
        self._upright("Hz (mel scale)", 4)

    def seconds(self, lasts: float, *, named: bool) -> None:
        """Draw the axis of time, with its name or without."""
        for value, text in _ticks(0.0, lasts):
            x = round(LEFT + value / lasts * (RIGHT - LEFT))
            self._draw.line((x, BOTTOM, x, BOTTOM + TICK), fill=INK)
            self.label(text, (x, BOTTOM + TICK + GAP), "mt")
        if named:
            self.label("seconds", ((LEFT + RIGHT) // 2, HEIGHT - GAP), "ms")

    def label(self, text: str, at: tuple[int, int], anchor: str, size: int = USUAL) -> None:
        """Write text at a place, which `anchor` says the part of, as Pillow has it."""
        self._draw.text(at, text, fill=INK, font=_font(size), anchor=anchor)

    def _upright(self, text: str, x: int) -> None:
        """Write text upwards, from `x` to the right, in the middle of the axes' height."""
        from PIL import Image, ImageDraw

        left, top, right, bottom = (round(side) for side in _font(USUAL).getbbox(text))
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=_font(USUAL))
        turned = mask.transpose(Image.Transpose.ROTATE_90)
        self.image.paste(INK, (x, (TOP + BOTTOM - turned.height) // 2), turned)

    def _colour(self, decibels: npt.NDArray[np.float32]) -> Image:
        """Return dB [rows, columns] as colours."""
        from PIL import Image

        shares = (decibels - (self.loudest - RANGE)) / RANGE
        return Image.fromarray(_magma()[(shares.clip(0, 1) * 255).round().astype(np.uint8)])


@lru_cache
def _magma() -> npt.NDArray[np.uint8]:
    """Return colours [256, red green blue], the softest first."""
    return np.frombuffer(b85decode(_MAGMA), np.uint8).reshape(256, 3)


@lru_cache
def _font(size: int) -> FreeTypeFont:
    """Return DejaVu Sans, which lies in matplotlib's package, so many pixels high."""
    from PIL import ImageFont

    spec = find_spec("matplotlib")  # which does not import it
    assert spec is not None
    assert spec.origin is not None
    fonts = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(fonts / "DejaVuSans.ttf", size)


def _ticks(low: float, high: float) -> Iterable[tuple[float, str]]:
    """Yield round numbers from `low` to `high`, with their texts: 10 at most."""
    rough = (high - low) / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * 0.999)
    places = next(digits for digits in range(12) if math.isclose(round(step, digits), step))
    for number in range(math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1):
        yield number * step, f"{number * step:.{places}f}".replace("-", "\N{MINUS SIGN}")


def _frequency_ticks(bands: int, sample_rate: int) -> tuple[list[float], list[str]]:
    """Return places and labels for some frequencies on an axis of mel bands."""
    known = {100: "100", 300: "300", 1000: "1k", 3000: "3k", 10_000: "10k"}
    top = slaney_mel(sample_rate / 2)
    shown = {hertz: label for hertz, label in known.items() if hertz < sample_rate / 2}
    return [bands * slaney_mel(hertz) / top for hertz in shown], list(shown.values())


def _drawable(title: str) -> str:
    """Return a title on one line whose letters the font has."""
    line = " ".join(title.split())
    line = "".join(c if c.isprintable() and c < "\u0250" else "?" for c in line)
    return line if len(line) <= 110 else f"{line[:107]}..."
