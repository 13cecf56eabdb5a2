"""How near samplers come to the exact solution on a trained run, for their evaluations.

    python benchmarks/samplers.py RUN [--evaluations 5,10,20,50,100] [--json FILE] [--picture FILE]

Every installed sampler at every spacing of levels, for the lower stage (held-out music through its
latents and back) and for the upper one (the recipe's prompts) at the recipe's guidance and at 5:
the relative L2 error against a solution of 1,000 steps from the same noise, and the log-mel
distance of the audio to that solution's (and, for the lower stage, to the music itself). A sampler
that draws fresh noise makes another sample: its error, in brackets, is none. What stands in the
JSON file already is not measured again, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import machine
from playing import Player, Problem, chosen, problems
from samplers_picture import draw
from torch import Tensor

from mousai_kit.core.console import Screen
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder

EXACT: dict[str, object] = {"use": "angle-2m", "steps": 1000}
CHECK: dict[str, object] = {"use": "heun", "steps": 199}
"""Another method, which shows how exact the solution is."""
BASE = ("ddim", "linear", 50)
"""What the paper's sampler does: the error that others are to reach with fewer evaluations."""


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

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Return what is measured."""
        return self.problem, self.sampler, self.levels, self.evaluations


class Bench:
    """Measures one problem after another; keeps what was measured in a file, if there is one."""

    def __init__(self, system: Run, arguments: argparse.Namespace) -> None:
        recipe = system.recipe
        precision = arguments.precision or next(iter(recipe.stages.values())).train.precision
        self.player = Player(system, precision)
        self.metric = chosen("metric", "log-mel-distance").build(
            sample_rate=recipe.audio.sample_rate
        )
        self.evaluations = [int(it) for it in arguments.evaluations.split(",")]
        self.path: Path | None = arguments.json
        self.settings = {"run": recipe.name, "precision": precision}
        self.settings |= {"seconds": arguments.seconds, "clips": arguments.clips}
        self.rows = self._known()

    def measure(self, problem: Problem) -> None:
        """Measure what is not known yet of a problem, and print all of it."""
        known = {row.key: row for row in self.rows}
        print(f"\n{problem.name}", flush=True)
        exact: tuple[Tensor, Tensor] | None = None
        for name, levels, count in self._wanted(problem):
            key = (problem.name, name, levels or "linear", count)
            if key not in known:
                exact = exact or self._exact(problem)
                spec: dict[str, object] = {"use": name, "steps": count, "levels": levels}
                known[key] = self._row(problem, spec, *exact)
                self.rows.append(known[key])
                self._write()
            print(printed(known[key]), flush=True)

    def _wanted(self, problem: Problem) -> Iterator[tuple[str, str | None, int]]:
        for name in installed_registry().names("sampler"):
            for levels in self.player.spacings(problem):
                for count in self.evaluations:
                    yield name, levels, count

    def _exact(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Return the solution of 1,000 steps, and its audio."""
        exact = self.player.decode_windows(problem, EXACT)
        away = error(self.player.decode_windows(problem, CHECK), exact)
        print(f"(heun with 100 steps is {away:.2g} from the 1,000-step solution)", flush=True)
        return exact, self.player.audio(problem, exact)

    def _row(self, problem: Problem, spec: dict[str, object], exact: Tensor, heard: Tensor) -> Row:
        made = self.player.decode_windows(problem, spec)
        audio = self.player.audio(problem, made)
        return Row(
            problem.name,
            str(spec["use"]),
            str(spec["levels"] or "linear"),
            int(str(spec["steps"])),
            error(made, exact),
            self.metric.score(audio, heard),
            None if problem.real is None else self.metric.score(audio, problem.real),
            bool(getattr(chosen("sampler", spec).options, "eta", 0)),
        )

    def _known(self) -> list[Row]:
        if self.path is None or not self.path.exists():
            return []
        figures = json.loads(self.path.read_text(encoding="utf-8"))
        if figures["settings"] != self.settings:
            raise SystemExit(f"{self.path} holds other settings: {figures['settings']}")
        return [Row(**row) for row in figures["rows"]]

    def _write(self) -> None:
        if self.path is not None:
            figures = {"machine": machine.facts(), "settings": self.settings}
            rows = [asdict(row) for row in self.rows]
            text = json.dumps({**figures, "rows": rows}, indent=1)
            self.path.write_text(text + "\n", encoding="utf-8")


def error(made: Tensor, exact: Tensor) -> float:
    """Return the relative L2 error, the root mean square over clips."""
    each = (made - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
    return float(each.square().mean().sqrt())


def printed(row: Row) -> str:
    """Return a row of the table."""
    away = f"({row.error:.4f})" if row.stochastic else f" {row.error:.4f} "
    real = "" if row.log_mel_real is None else f"{row.log_mel_real:8.2f}"
    return f"{row.sampler:14}{row.levels:18}{row.evaluations:5}{away:>12}{row.log_mel:8.2f}{real}"


def enough(rows: list[Row]) -> Iterator[str]:
    """Yield who is as near as ddim with 50 even steps, in error and by ear, and from how many."""
    for problem in dict.fromkeys(row.problem for row in rows):
        mine = sorted((it for it in rows if it.problem == problem), key=lambda it: it.evaluations)
        base = next((it for it in mine if it.key[1:] == BASE), None)
        if base is None:
            continue
        least: dict[tuple[str, str], int] = {}
        for row in mine:
            if row.error <= base.error and row.log_mel <= base.log_mel:
                least.setdefault((row.sampler, row.levels), row.evaluations)
        for pair, count in sorted(least.items(), key=lambda it: it[1]):
            yield f"{problem:28}{' '.join(pair):32}{count:4}"


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--evaluations", default="5,10,20,50,100")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--only", default="", help="problems with this word in their name")
    parser.add_argument("--precision", choices=["fp32", "bf16"], help="default: the recipe's")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    folder = RunFolder(arguments.run)
    recipe = load_recipe(folder.recipe, [], registry=installed_registry())
    system = Run(recipe, folder, Screen()).load()
    bench = Bench(system, arguments)
    for problem in problems(system, seconds=arguments.seconds, clips=arguments.clips):
        if arguments.only in problem.name:
            bench.measure(problem)
    print("\nas near as ddim with 50 even steps, from so many evaluations:")
    print("\n".join(enough(bench.rows)))
    print(f"\n{machine.line()}, {bench.player.precision}")
    if arguments.picture:
        draw([asdict(row) for row in bench.rows], arguments.picture)


if __name__ == "__main__":
    main()
