"""Systems: what a studio makes music with, by name, loaded when they are first asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from mousai_kit.core.component import iter_slots
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RequestError, argument_error, join_quoted, suggest
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe, teacher_or_model
from mousai_kit.runs import resolve
from mousai_kit.runs.adapter import load_adapters
from mousai_kit.runs.run import Run
from mousai_kit.runs.vocabulary import saved_words, telling
from mousai_kit.studio.settings import ClipSettings

AT_ONCE = 3
"""Systems that stay loaded, the same one with other parts counting anew."""
SWAPPED = ("sampler", "schedule")
"""Kinds of part that can be swapped, with all that is in them: weights are not theirs."""
GUIDANCE = ("guidance", "controls.guidance_schedule", "controls.guidance_rescale")
"""What can be swapped of how a recipe guides, below `generate`."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a system can be asked."""

    controls: frozenset[str]
    """Names of `Controls` that its top stage heeds."""
    conditions: tuple[str, ...]
    """What it can be told besides text, `melody` say."""
    reconstructs: bool
    """Whether a stage encodes audio."""
    seconds: float
    guidance: float
    words: tuple[str, ...]
    """Words that it knows, most frequent first; empty where it can't tell."""
    slots: tuple[str, ...]
    """Places of its samplers and schedules in the recipe."""


class Systems:
    """Trained systems by name. Whatever else a client names is refused: nothing is loaded for it.

    RequestError where two have one name, or one makes nothing from text; an error where one is no
    system or no adapter, or is not trained.
    """

    def __init__(self, targets: Sequence[str], adapters: Sequence[str] = ()) -> None:
        self.targets: dict[str, str] = {}
        for target in targets:
            name = Path(target).stem or target
            if name in self.targets:
                told = f"and {self.targets[name]} are both called '{name}'; leave one out"
                raise RequestError.about(target, told)
            self.targets[name] = target
        self.adapters = {Path(path).stem or path: path for path in adapters}
        self._loaded: OrderedDict[tuple[object, ...], Run] = OrderedDict()
        self.abilities = cache(self._find_abilities)
        for target in self.targets.values():
            self._check(target)
        if adapters:
            stages = {stage for name in self.targets for stage in self.recipe(name).stages}
            load_adapters(dict.fromkeys(adapters, 1.0), stages)

    def add(self, name: str, target: str) -> None:
        """Add a system under a name; RequestError where another has it, or where it can't play."""
        known = self.targets.get(name)
        if known not in (None, target):
            raise argument_error("system", f"'{name}' is called so already, and is {known}")
        self._check(target)
        self.targets[name] = target

    @property
    def names(self) -> list[str]:
        """Return what there is."""
        return list(self.targets)

    def recipe(self, name: str, overrides: Sequence[str] = (), steps: int | None = None) -> Recipe:
        """Return a system's recipe, with parts swapped; an error tells what `validate` would."""
        self._check_swaps(name, overrides)
        return resolve.resolve_run(self.target(name), overrides, steps)[0]

    def target(self, name: str) -> str:
        """Return what the user called a system; RequestError where there is none of the name."""
        if name not in self.targets:
            told = f"there is no '{name[:60]}' here{suggest(name[:60], self.targets)}"
            raise argument_error("system", told)
        return self.targets[name]

    def open(self, settings: ClipSettings, screen: Screen) -> Run:
        """Return the system that settings ask for, loaded; it reports to the screen."""
        strengths = {self._adapter(name): value for name, value in settings.adapters.items()}
        key = (settings.system, *settings.overrides, settings.steps, *strengths.items())
        if (system := self._loaded.pop(key, None)) is None:
            with screen.busy(f"loading {settings.system}"):
                system = self._load(settings, strengths)
        self._loaded[key] = system
        while len(self._loaded) > AT_ONCE:
            self._loaded.popitem(last=False)
        system.screen = screen
        return system

    def _load(self, settings: ClipSettings, strengths: Mapping[str, float]) -> Run:
        self._check_swaps(settings.system, settings.overrides)
        target = self.target(settings.system)
        recipe, folder = resolve.resolve_run(target, settings.overrides, settings.steps)
        folder.check_trained(recipe)
        found = load_adapters(strengths, recipe.stages)
        with torch.random.fork_rng(devices=[]):
            return Run(recipe, folder, Screen(quiet=True), found).load_for_inference()

    def _adapter(self, name: str) -> str:
        """Return the path of an adapter that the studio was started with."""
        if name not in self.adapters:
            there = suggest(name[:60], self.adapters) if self.adapters else "; there are none"
            raise argument_error("adapters", f"there is no '{name[:60]}' here{there}")
        return self.adapters[name]

    def _check(self, target: str) -> None:
        """Raise an error where a system can't make music from text."""
        recipe, folder = resolve.resolve_run(target, None)
        folder.check_trained(recipe)
        if not Cascade.build(recipe, device="meta").top.hears_text:
            told = "makes no music from text; the studio needs a system that does"
            raise RequestError.about(target, told)

    def _check_swaps(self, name: str, overrides: Sequence[str]) -> None:
        """Raise RequestError where something else than a sampler or a schedule is changed."""
        if not overrides:
            return
        swapped = self.abilities(name).slots
        slots = [*swapped, *(f"generate.{item}" for item in GUIDANCE)]
        heard = [f"stages.{slot.split('.')[1]}.distil.played" for slot in swapped]
        for change in overrides:
            place = change.partition("=")[0]
            if not any(f"{place}.".startswith(f"{slot}.") for slot in (*slots, *heard)):
                told = f"only what is under {join_quoted(slots)} can be swapped here"
                raise RequestError.about(f"--set {change[:100]}", told)

    def _find_abilities(self, name: str) -> Abilities:
        recipe, folder = resolve.resolve_run(self.target(name), None)
        cascade = Cascade.build(recipe, device="meta")
        told = cascade.conditions_type
        slots = [
            (".".join(map(str, place)), use.component.kind)
            for stage, part in recipe.stages.items()
            for place, use in iter_slots(teacher_or_model(part.model), ("stages", stage, "model"))
        ]
        swapped = [place for place, kind in slots if kind in SWAPPED]
        outer = [one for one in swapped if not any(one.startswith(f"{o}.") for o in swapped)]
        return Abilities(
            controls=frozenset(cascade.top.controls),
            conditions=tuple(told.model_fields) if told else (),
            reconstructs=any(stage.latent_space for stage in cascade.stages.values()),
            seconds=recipe.generate.seconds,
            guidance=recipe.generate.guidance,
            words=tuple(telling(saved_words(recipe, folder) or [])),
            slots=tuple(outer),
        )
