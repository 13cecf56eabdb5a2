"""A distilled stage: it learns to generate in a few steps what its teacher makes in many.

Legend: b batch, c channels, n frames; s a level, t the level below where a step from it lands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_distillation.changes import WeightChanges
from mousai_kit_distillation.few_step import NEAR, FewStep, grid_levels, turn, turn_weights
from mousai_kit_distillation.guidance_scale import GuidanceScale
from mousai_kit_distillation.targets import AskRows, add_noise, follow_own_steps, level_below, solve


class Distilled(mk.Stage):
    """Distilled stage: learns to make in a few evaluations what its teacher, trained before, makes.

    Its weights are the teacher's plus a change, so that it begins as the teacher. A step lands
    where several steps of the guided teacher end (progressive: Salimans & Ho, 2022; guidance as an
    input: Meng et al., 2023), or where a step of the teacher and then its own average do
    (consistency over the stretches between levels: Heek et al., 2024). Part of the clips begin
    where its own steps lead from noise, as in generation.
    """

    name = "distilled"
    starts_from = "teacher"
    needs_average = True
    never_change_weights = ("played",)

    class Options(mk.DistillationOptions):
        """Options of `stage: distilled`."""

        teacher: mk.Use[mk.Stage] = mk.Field(
            description="the stage that is distilled; it learns before, alone, or comes as "
            "`weights`"
        )
        played: Literal["distilled", "full"] = mk.Field(
            "distilled", description="full generates with the teacher, in its own steps"
        )

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        self.options = options
        teacher = options.teacher.build(input_space=input_space).requires_grad_(False)
        self.teacher = teacher
        self.input_space, self.latent_space = teacher.input_space, teacher.latent_space
        self.controls, self.text_features = teacher.controls, teacher.text_features
        self.highest_level = teacher.highest_level
        self.change = WeightChanges(teacher, rank=options.rank)
        if type(teacher).denoising is mk.Stage.denoising or not self.change.names:
            raise mk.PluginError(f"'{teacher.name}' has no network that could be distilled")
        self.scale: GuidanceScale | None = None
        if options.guidance is not None:
            if not teacher.text_features:
                raise mk.PluginError(
                    f"'{teacher.name}' is not guided by a text; leave `guidance` out"
                )
            self.scale = GuidanceScale(teacher.text_features)
        self._students: dict[tuple[int, ...], mk.Stage] = {}

    @classmethod
    def with_steps(cls, options: mk.Options, steps: int) -> tuple[mk.Options, bool]:
        """Return options that play the distilled network, or the full one in so many steps."""
        assert isinstance(options, cls.Options)
        full = steps != options.steps
        return options.model_copy(update={"played": "full" if full else "distilled"}), full

    def train(self, mode: bool = True) -> Distilled:
        """Set the mode of all but the teacher, which has learned."""
        super().train(mode)
        self.teacher.eval()
        return self

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
        extras: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the squared distance of v per clip [b] from the one that leads to its target."""
        shift, scales = self._draw_guidance(noise)
        clips = ClipBatch(self.teacher, signal, prompts, noise, extras)

        def ask(rows: Sequence[int], x: Tensor, levels: Tensor) -> Tensor:
            shifts = None if shift is None else shift[list(rows)]
            velocity = partial(clips.bind, condition, rows, text_shift=shifts)
            return self.change.ask(self.teacher, lambda: velocity().velocity(x, levels))

        with torch.no_grad():
            full = clips.bind("training" if condition == "training" else "right", guidance=scales)
            start, now = self._draw_starts(full, noise, ask, on_path=condition == "training")
            target, later = self._find_targets(full, start, now, ask)
        cos, sin = (weight.to(start) for weight in turn_weights(full.schedule, now, later))
        wanted = (cos * start - target) / sin
        predicted = ask(range(len(start)), start, now.to(start))
        return mk.mean_per_clip((predicted.float() - wanted).square(), full.importance)

    def encode(self, signal: Tensor) -> Tensor:
        """Return the teacher's latents of signals."""
        return self.teacher.encode(signal)

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make signals in the few steps, or as the teacher does where a request needs it."""
        player, asked = self._player(request)
        return player.decode(latents, asked)

    def stream(self, latents: Tensor | None, request: mk.GenerationRequest) -> Iterator[Tensor]:
        """Yield the signals of `decode` piece by piece."""
        player, asked = self._player(request)
        yield from player.stream(latents, asked)

    def stream_latents(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the pieces of `stream` for latents that come piece by piece."""
        player, asked = self._player(request)
        yield from player.stream_latents(latents, asked)

    @property
    def continues(self) -> bool:
        """Return whether the teacher goes on from what was made before."""
        return self.teacher.continues

    def windows(self, request: mk.GenerationRequest) -> int:
        """Return in how many windows signals are made."""
        return self.teacher.windows(request)

    @property
    def nfe(self) -> int:
        """Return about how many evaluations of its network a window takes."""
        return self.options.steps if self.options.played == "distilled" else self.teacher.nfe

    @property
    def hears_text(self) -> bool:
        """Return whether the teacher follows prompts."""
        return self.teacher.hears_text

    @property
    def refines(self) -> mk.Stage | None:
        """Return None: what is inside has learned before."""
        return None

    @property
    def extras_type(self) -> type[mk.Options] | None:
        """Return what the teacher may be given besides text."""
        return self.teacher.extras_type

    @property
    def extras_extractor(self) -> mk.ExtrasExtractor | None:
        """Return what tells the teacher's extras of a clip."""
        return self.teacher.extras_extractor

    @property
    def extras_key(self) -> Mapping[str, Any]:
        """Return what decides the teacher's extras."""
        return self.teacher.extras_key

    def request_extras(self, values: mk.Options, *, samples: int) -> Mapping[str, Tensor]:
        """Return the teacher's extras for values of `extras_type`."""
        return self.teacher.request_extras(values, samples=samples)

    def download(self) -> None:
        """Fetch what the teacher needs."""
        self.teacher.download()

    def playing_networks(self) -> Iterable[mk.UNet]:
        """Return the networks that are asked: the changed ones, unless the teacher is played."""
        played = self.teacher if self.options.played == "full" else self._student
        return played.playing_networks()

    def _draw_guidance(self, noise: mk.NoiseSource) -> tuple[Tensor | None, Tensor | None]:
        """Return what tells the network a scale of guidance [b, features], and the scales [b]."""
        if self.scale is None or self.options.guidance is None:
            return None, None
        lowest, highest = self.options.guidance
        scales = (lowest + (highest - lowest) * noise.uniform()).to(self._device)
        return self.scale(scales), scales

    def _draw_starts(
        self, full: mk.Denoising, noise: mk.NoiseSource, ask: AskRows, *, on_path: bool
    ) -> tuple[Tensor, Tensor]:
        """Return noised signals [b, c, n] and their levels [b], float64, where steps begin.

        Of noised clips they are those of the grid, or any at times, and of consistency all of the
        teacher's; `on_path`, a share begins where own steps lead.
        """
        said, white = self.options, noise.like(full.signal)
        place, own, free, level = (noise.uniform().double().cpu() for _ in range(4))
        grid, index = self._grid, (place * said.steps).long() + 1
        followed = (own < said.own_path) & on_path
        part = torch.zeros_like(level)
        if said.method == "consistency":
            part = (level * said.substeps).long().double() / said.substeps
        now = torch.lerp(grid[index], grid[index - 1], part)
        now = torch.where(free < said.between, grid[-1] * (1 - level), now)
        now = torch.where(followed, grid[index], now)
        start = add_noise(full, white, now)
        if followed.any():
            goals = torch.where(followed, index, -1)
            path = follow_own_steps(full, white, goals, grid=grid, ask=ask)
            start = torch.where(followed[:, None, None].to(start.device), path, start)
        return start, now

    def _find_targets(
        self, full: mk.Denoising, start: Tensor, now: Tensor, ask: AskRows
    ) -> tuple[Tensor, Tensor]:
        """Return where steps from starts [b, c, n] at levels `now` [b] are to land [b, c, n], and
        at which levels [b].
        """
        later = level_below(now, self._grid)
        if self.options.method == "progressive":
            return solve(full, start, now, later, steps=self.options.substeps), later
        above = self._grid[torch.searchsorted(self._grid, later + NEAR)]
        between = torch.maximum(now - (above - later) / self.options.substeps, later)
        near = solve(full, start, now, between, steps=1)
        v = self.with_average(lambda: ask(range(len(near)), near, between.to(near)))
        landed = turn(near, v.to(near), full.schedule, between, later)
        arrived = (between - later < NEAR)[:, None, None].to(near.device)
        return torch.where(arrived, near, landed), later

    def _player(self, request: mk.GenerationRequest) -> tuple[mk.Stage, mk.GenerationRequest]:
        """Return the stage that makes what is asked for, and what to ask it for.

        It is the teacher where a request needs two evaluations, one to lead away from.
        """
        folded = self.options.guidance
        if self.options.played == "full":
            return self.teacher, request
        if self.scale is None or folded is None:
            return self._student, request
        controls = request.controls.active()
        needs_two = any(name == "negative" or name.startswith("guidance_") for name in controls)
        if needs_two or not folded[0] <= request.guidance <= folded[1]:
            return self.teacher, request
        shift = self.scale(torch.tensor([request.guidance], device=self._device))
        return self._student, replace(request, guidance=1.0, text_shift=shift)

    @property
    def _student(self) -> mk.Stage:
        """The teacher with changed weights and few steps; it shares what does not change."""
        versions = tuple(weight._version for weight in self.parameters())
        if versions not in self._students:
            student = self.change.changed_copy(self.teacher)
            said = self.options
            few = FewStep.Options(
                steps=said.steps, spacing=said.spacing, begins=self.teacher.highest_level
            )
            student.replace_sampler(mk.Use(FewStep, few))
            self._students = {versions: student}
        return self._students[versions]

    @property
    def _grid(self) -> Tensor:
        """The levels [steps + 1] between which it steps; they rise from 0."""
        said, highest = self.options, self.teacher.highest_level
        return grid_levels(said.steps, said.spacing, begins=highest).flip(0)

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device


class ClipBatch:
    """Clips that a stage binds its network to, all of them or some rows.

    What is dropped in training is the same each time.
    """

    def __init__(
        self,
        stage: mk.Stage,
        signal: Tensor,
        prompts: Sequence[str],
        noise: mk.NoiseSource,
        extras: Mapping[str, Tensor] | None,
    ) -> None:
        self._stage, self._signal, self._prompts, self._extras = stage, signal, prompts, extras
        self._device = noise.device
        self._seeds = [int(number * 2**31) for number in noise.uniform().tolist()]

    def bind(
        self, condition: mk.Condition, rows: Sequence[int] | None = None, **how: Any
    ) -> mk.Denoising:
        """Return what is denoised of the rows, and the network as its weights are now."""
        chosen = list(range(len(self._prompts)) if rows is None else rows)
        if self._extras is not None:
            how["extras"] = {name: data[chosen] for name, data in self._extras.items()}
        return self._stage.denoising(
            self._signal[chosen],
            [self._prompts[row] for row in chosen],
            noise=mk.NoiseSource([self._seeds[row] for row in chosen], device=self._device),
            condition=condition,
            **how,
        )
