"""Cascade: stages stacked from the waveform upwards, played back in reverse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from mousai_kit.errors import MousaiError, RequestError
from mousai_kit.interfaces import Request, Space, Stage, UNet
from mousai_kit.recipe import Recipe
from mousai_kit.seeds import derive
from mousai_kit.windows import joined, scaled, windows


class Cascade:
    """The stages of a system by name, the lowest first."""

    def __init__(self, audio: Space, stages: Mapping[str, Stage]) -> None:
        self.audio = audio
        self.stages = dict(stages)

    @classmethod
    def build(cls, recipe: Recipe, *, device: torch.device | str = "cpu") -> Cascade:
        """Build a recipe's stages with fresh weights, the same ones for the same seed.

        RecipeError where parts do not fit each other. On the `meta` device nothing is allocated.
        """
        audio = Space(recipe.audio.channels, 1, recipe.audio.sample_rate)
        below, stages = audio, {}
        for name, part in recipe.stages.items():
            torch.manual_seed(derive(recipe.seed, "weights", name))
            try:
                with torch.device("meta" if str(device) == "meta" else "cpu"):
                    stage = part.model.build(below=below)
            except MousaiError as error:
                raise recipe.fault(("stages", name, "model"), str(error)) from None
            stages[name] = stage.to(device).eval()
            if stage.space is None:
                break
            below = stage.space
        if unreachable := [name for name in recipe.stages if name not in stages]:
            raise recipe.fault(
                ("stages", unreachable[0]),
                f"stands above '{name}', which makes signals from text alone; leave it out",
            )
        return cls(audio, stages)

    def settle(self) -> None:
        """Let all networks keep their weights as sampling reads them: nothing is trained or saved.

        See `UNet.settle`.
        """
        for stage in self.stages.values():
            for module in stage.modules():
                if isinstance(module, UNet):
                    module.settle()

    def below(self, name: str) -> Space:
        """Return the space whose signals a stage learns."""
        return self.stages[name].below

    @torch.no_grad()
    def encode(self, wave: Tensor, *, up_to: str | None = None) -> Tensor:
        """Return the signals that stage `up_to` learns, of audio [b, c, t]; None: the highest."""
        signal = wave
        for name, stage in self.stages.items():
            if name == up_to or stage.space is None:
                break
            signal = stage.encode(signal)
        return signal

    @torch.no_grad()
    def latents(self, wave: Tensor, top: str, *, window: int | None = None) -> Tensor:
        """Return the latents of stage `top` of audio [b, c, t].

        Audio of more than `window` samples is encoded in overlapping windows of that length.
        """
        below: Tensor | None = None
        for name, stage in self.stages.items():
            below = _in_windows(stage, wave, window) if below is None else stage.encode(below)
            if name == top:
                break
        assert below is not None
        return below

    @torch.no_grad()
    def stream(
        self, latents: Tensor | None, request: Request, *, top: str | None = None
    ) -> Iterator[Tensor]:
        """Yield audio [b, c, n] piece by piece, from the latents of stage `top` downwards.

        The stages above the lowest make their signals whole: they are short.
        """
        signal, names = latents, self.down_from(top)
        for name in names:
            order = replace(request, seeds=[derive(seed, name) for seed in request.seeds])
            if name == names[-1]:
                yield from self.stages[name].stream(signal, order)
            else:
                signal = self.stages[name].decode(signal, order)

    def decode(self, latents: Tensor | None, request: Request, *, top: str | None = None) -> Tensor:
        """Return audio [b, c, request.samples], from the latents of stage `top` downwards."""
        return torch.cat([*self.stream(latents, request, top=top)], -1)

    def make(self, request: Request) -> Tensor:
        """Make audio [b, c, request.samples] from the request's prompts."""
        return torch.cat([*self.play(request)], -1)

    def play(self, request: Request) -> Iterator[Tensor]:
        """Make audio from the request's prompts, and yield it [b, c, n] piece by piece."""
        if (top := self.top).space is not None:
            raise RequestError(
                f"the top stage, {top.name}, does not make music from text; "
                "this recipe can only `reconstruct`"
            )
        return self.stream(None, request)

    def down_from(self, top: str | None) -> list[str]:
        """Return the names of stage `top` (None: the highest) and of those below, downwards."""
        names = list(self.stages)
        return names[names.index(top) :: -1] if top else names[::-1]

    def reports(self, request: Request, *, top: str | None = None) -> int:
        """Return about how often `stream` will report progress."""
        stages = [self.stages[name] for name in self.down_from(top)]
        rounds = [-(-stage.windows(request) // request.together) for stage in stages]
        return sum(stage.evaluations * count for stage, count in zip(stages, rounds, strict=True))

    @property
    def top(self) -> Stage:
        """Return the highest stage."""
        return next(reversed(self.stages.values()))

    @property
    def evaluations(self) -> dict[str, int]:
        """Return about how many evaluations of its network each stage takes to decode a window."""
        return {name: stage.evaluations for name, stage in self.stages.items()}

    def parts(self) -> Iterator[tuple[str, str, nn.Module, int]]:
        """Yield (stage, part, module, parameters) for each named part of each stage."""
        for name, stage in self.stages.items():
            for part, module in stage.named_children():
                yield name, part, module, sum(p.numel() for p in module.parameters())


def _in_windows(stage: Stage, wave: Tensor, window: int | None) -> Tensor:
    """Return the latents of audio [b, c, t], encoded in windows of so many samples."""
    assert stage.space is not None
    frames = stage.space.frames(wave.shape[-1])
    parts = windows(frames, None if window is None else stage.space.frames(window))
    samples = (scaled(part, stage.space.stride) for part in parts)
    made = (stage.encode(wave[..., it.start : it.stop]) for it in samples)
    return torch.cat([*joined(parts, made)], -1)
