"""Cascade: stages stacked from the waveform upwards, played back in reverse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from mousai_kit.errors import MousaiError, RequestError
from mousai_kit.interfaces import Request, Sampler, Space, Stage
from mousai_kit.recipe import Recipe
from mousai_kit.seeds import derive


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
    def decode(self, latents: Tensor | None, request: Request, *, top: str | None = None) -> Tensor:
        """Return audio [b, c, request.samples], from the latents of stage `top` downwards."""
        names = list(self.stages)
        signal = latents
        for name in reversed(names[: names.index(top) + 1] if top else names):
            seeds = [derive(seed, name) for seed in request.seeds]
            signal = self.stages[name].decode(signal, replace(request, seeds=seeds))
        assert signal is not None
        return signal

    def generate(self, request: Request) -> Tensor:
        """Make audio [b, c, request.samples] from the request's prompts."""
        if (top := self.top).space is not None:
            raise RequestError(
                f"the top stage, {top.name}, does not make music from text; "
                "this recipe can only `reconstruct`"
            )
        return self.decode(None, request)

    @property
    def top(self) -> Stage:
        """Return the highest stage."""
        return next(reversed(self.stages.values()))

    @property
    def evaluations(self) -> dict[str, int]:
        """Return about how many evaluations of its network each stage takes to decode."""
        return {
            name: sum(it.steps for it in vars(stage).values() if isinstance(it, Sampler))
            for name, stage in self.stages.items()
        }

    def parts(self) -> Iterator[tuple[str, str, nn.Module, int]]:
        """Yield (stage, part, module, parameters) for each named part of each stage."""
        for name, stage in self.stages.items():
            for part, module in stage.named_children():
                yield name, part, module, sum(p.numel() for p in module.parameters())
