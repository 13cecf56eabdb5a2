"""Reconstruction: audio through a stage's latents and back, with a picture of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from mousai_kit import audio
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.interfaces import Request
from mousai_kit.memory import check_disk, check_memory
from mousai_kit.playing import Player, Recording


class Reconstructor:
    """Brings audio through the latents of stage `top` and back, in windows of so many samples."""

    def __init__(self, cascade: Cascade, top: str, *, precision: str, window: int) -> None:
        self.cascade, self.top, self.window = cascade, top, window
        self._device = next(cascade.stages[top].parameters()).device
        self._player = Player(cascade.audio, device=self._device, precision=precision)

    def make(
        self,
        wave: Tensor,
        out: Path,
        *,
        seed: int,
        real: str,
        tags: Mapping[str, str],
        screen: Screen,
    ) -> None:
        """Write what becomes of audio [c, t], and a picture of it below that of the `real` one.

        RequestError where memory or the disk would not suffice.
        """
        space = self.cascade.audio
        request = Request([""], [seed], wave.shape[-1], window=self.window)
        check_memory(self.cascade, request, top=self.top)
        check_disk(out.parent, space, [request])
        out.parent.mkdir(parents=True, exist_ok=True)
        with Recording(out, space, request.samples) as recording:
            for piece in self._through(wave, request, screen):
                recording.add(piece[0])
            above = {f"real: {real}": audio.MelStrip.of(wave, space.sample_rate)}
            recording.finish("through the latents and back", tags, above)

    def _through(self, wave: Tensor, request: Request, screen: Screen) -> Iterator[Tensor]:
        """Yield audio [1, c, n] as it comes back, piece by piece."""
        cascade, top = self.cascade, self.top

        def pieces(told: Request) -> Iterator[Tensor]:
            latents = cascade.latents(wave[None].to(self._device), top, window=self.window)
            yield from cascade.stream(latents, told, top=top)

        with screen.bar("reconstructing", cascade.reports(request, top=top)) as bar:
            yield from self._player.heard(pieces(replace(request, progress=bar.advance)), request)
