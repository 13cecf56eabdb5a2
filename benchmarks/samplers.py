"""How near samplers come to the exact solution on a trained run, for their evaluations.

    python benchmarks/samplers.py RUN [--evaluations 5,10,20,50,100] [--json FILE] [--picture FILE]

Every installed sampler at every spacing of levels, for the lower stage (held-out music through its
latents and back) and for the upper one (the recipe's prompts) at the recipe's guidance and at 5:
the relative L2 error against a solution of 1,000 steps from the same noise, and the log-mel
distance of the audio to that solution's (and, for the lower stage, to the music itself). A sampler
that draws fresh noise makes another sample: its error, in brackets, is none. What stands in FILE
already is not measured again, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import machine
import torch
from samplers_picture import draw
from torch import Tensor

from mousai_kit.component import Use, choose
from mousai_kit.console import Screen
from mousai_kit.data import dataset
from mousai_kit.interfaces import KINDS, Metric, Request, Sampler, Schedule, Stage
from mousai_kit.plugins import installed
from mousai_kit.recipe import load_recipe
from mousai_kit.runs import RunFolder
from mousai_kit.seeds import derive
from mousai_kit.system import System
from mousai_kit.training.validation import autocast

TRUTH = {"use": "angle-2m", "steps": 1000}
CHECK = {"use": "heun", "steps": 199}
"""Another method, which shows how exact the solution is."""
LOWER = {"use": "angle-2m", "steps": 10}
"""The sampler below the one that is measured: what it lacks is the same for all."""


@dataclass(frozen=True)
class Row:
    """One sampler at one spacing and one number of evaluations."""

    problem: str
    sampler: str
    levels: str
    evaluations: int
    error: float
    log_mel: float
    log_mel_real: float | None
    stochastic: bool


@dataclass(frozen=True)
class Problem:
    """A stage with what it is asked to make."""

    name: str
    stage: str
    latents: Tensor | None
    request: Request
    real: Tensor | None


class Bench:
    """A trained system whose samplers are changed at will."""

    def __init__(self, system: System, precision: str | None, evaluations: list[int]) -> None:
        self.system, self.evaluations = system, evaluations
        self.cascade, recipe = system.cascade, system.recipe
        self.precision = precision or next(iter(recipe.stages.values())).train.precision
        metric: Use[Metric] = _chosen("metric", "log-mel-distance")
        self.metric = metric.build(sample_rate=recipe.audio.sample_rate)

    def rows(self, problem: Problem) -> Iterator[Row]:
        """Yield the figures of a problem."""
        exact = self.made(problem, TRUTH)
        heard = self.audio(problem, exact)
        check = _error(self.made(problem, CHECK), exact)
        print(f"\n{problem.name}: heun with 100 steps is {check:.2g} from the 1,000-step solution")
        for name in installed().names("sampler"):
            for levels in spacings(self.cascade.stages[problem.stage]):
                for count in self.evaluations:
                    spec = {"use": name, "steps": count, "levels": levels}
                    result = self.made(problem, spec)
                    audio = self.audio(problem, result)
                    row = Row(
                        problem.name,
                        name,
                        levels or "linear",
                        count,
                        _error(result, exact),
                        self.metric.score(audio, heard),
                        None if problem.real is None else self.metric.score(audio, problem.real),
                        bool(getattr(_chosen("sampler", spec).options, "eta", 0)),
                    )
                    print(printed(row), flush=True)
                    yield row

    def made(self, problem: Problem, spec: dict[str, object]) -> Tensor:
        """Return what a stage makes with a sampler."""
        stage = self.cascade.stages[problem.stage]
        stage.sampler = sampler(spec, stage.schedule)
        with torch.no_grad(), autocast(self.system.device, self.precision):
            return stage.decode(problem.latents, problem.request).float()

    def audio(self, problem: Problem, made: Tensor) -> Tensor:
        """Return the audio of what a stage made."""
        names = list(self.cascade.stages)
        below = names[: names.index(problem.stage)]
        if not below:
            return made
        for name in below:
            stage = self.cascade.stages[name]
            stage.sampler = sampler(LOWER, stage.schedule)
        with autocast(self.system.device, self.precision):
            return self.cascade.decode(made, problem.request, top=below[-1]).float()

    def problems(self, seconds: float, clips: int) -> Iterator[Problem]:
        """Yield the lower stage's problem, then the upper one's at two guidances."""
        recipe, device = self.system.recipe, self.system.device
        samples = round(seconds * recipe.audio.sample_rate)
        lower, *_, upper = self.cascade.stages
        music = dataset(recipe, length=samples, split="validation")
        real = torch.stack([music.clip(index).wave for index in range(clips)]).to(device)
        seeds = [derive(recipe.seed, "bench", index) for index in range(clips)]
        request = Request([""] * clips, seeds, samples)
        with torch.no_grad():
            latents = self.cascade.stages[lower].encode(real)
        yield Problem(lower, lower, latents, request, real)
        prompts = (recipe.generate.prompts * clips)[:clips]
        for guidance in dict.fromkeys([recipe.generate.guidance, 5.0]):
            asked = replace(request, prompts=prompts, guidance=guidance)
            yield Problem(f"{upper}, guidance {guidance:g}", upper, None, asked, None)


def spacings(stage: Stage) -> list[str | None]:
    """Return the schedules whose levels differ: None, the stage's own, first."""
    found: dict[tuple[float, ...], str | None] = {_levels(stage.schedule): None}
    for component, _ in installed():
        if component.kind == "schedule":
            found.setdefault(_levels(_chosen("schedule", component.name).build()), component.name)
    return list(found.values())


def _levels(schedule: Schedule) -> tuple[float, ...]:
    return tuple(round(level, 6) for level in schedule.levels(7).tolist())


def sampler(spec: dict[str, object], schedule: Schedule) -> Sampler:
    """Return a sampler as a recipe would say it."""
    use: Use[Sampler] = _chosen("sampler", spec)
    return use.build(schedule=schedule)


def _chosen(kind: str, spec: object) -> Use[object]:
    return choose(KINDS[kind], spec, {"registry": installed()})


def _error(result: Tensor, exact: Tensor) -> float:
    """Return the relative L2 error, the root mean square over clips."""
    each = (result - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
    return float(each.square().mean().sqrt())


def printed(row: Row) -> str:
    """Return a row of the table."""
    error = f"({row.error:.4f})" if row.stochastic else f" {row.error:.4f} "
    real = "" if row.log_mel_real is None else f"{row.log_mel_real:8.2f}"
    return f"{row.sampler:14}{row.levels:18}{row.evaluations:5}{error:>12}{row.log_mel:8.2f}{real}"


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--evaluations", default="5,10,20,50,100")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--precision", choices=["fp32", "bf16"], help="default: the recipe's")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    folder = RunFolder(arguments.run)
    recipe = load_recipe(folder.recipe, [], registry=installed())
    counts = [int(it) for it in arguments.evaluations.split(",")]
    bench = Bench(System(recipe, folder, Screen()).load(), arguments.precision, counts)
    rows = [] if arguments.json is None else known(arguments.json)
    for problem in bench.problems(arguments.seconds, arguments.clips):
        if problem.name not in {row.problem for row in rows}:
            rows += bench.rows(problem)
            if arguments.json:
                write(arguments.json, rows, bench, arguments)
    print(f"\n{machine.line()}, {bench.precision}")
    if arguments.picture:
        draw([asdict(row) for row in rows], arguments.picture)


def known(path: Path) -> list[Row]:
    """Return the rows of problems that an earlier call has finished."""
    if not path.exists():
        return []
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def write(path: Path, rows: list[Row], bench: Bench, arguments: argparse.Namespace) -> None:
    """Write all figures so far, with the machine and the settings."""
    settings = {"run": bench.system.recipe.name, "precision": bench.precision}
    settings |= {"seconds": arguments.seconds, "clips": arguments.clips}
    figures = {"machine": machine.facts(), "settings": settings}
    figures["rows"] = [asdict(row) for row in rows]
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
