"""What gradient checkpointing takes and gives: peak memory and time of a step, with and without.

    python benchmarks/recompute.py [--recipe mousai-small] [--batch 4,16] [--seconds 20] [--set ...]
    python benchmarks/recompute.py --shapes [--recipe mousai-paper] [--batch 4] [--set ...]

Each figure is from a fresh process that takes steps on random signals (the probe of `mousai-kit
plan`). Memory is the most that the process held; `activations` is that without what was there
before the first step: the program, the weights, their gradients, moments and average. With
`--shapes` nothing is computed: what a step in fp32 keeps for its backward pass, by its tensors'
shapes.
"""

from __future__ import annotations

import argparse

from machine import line

from mousai_kit.models.blocks import wrap_blocks
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.memory import ADAM_COPIES, training_bytes
from mousai_kit.recipe import Recipe
from mousai_kit.runs.resolve import resolve_recipe
from mousai_kit.training.planning.cost import StepSample, Task
from mousai_kit.training.planning.probe import run_probe


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="mousai-small")
    parser.add_argument("--batch", default="4,16", help="batches, by commas")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--shapes", action="store_true", help="compute nothing")
    arguments = parser.parse_args()
    recipe = resolve_recipe(arguments.recipe, arguments.overrides)
    if arguments.shapes:
        print(shapes(arguments.recipe, recipe, int(arguments.batch.partition(",")[0])))
        return
    print("| stage, precision, batch | memory | recomputed | activations left | time |")
    print("| --- | --- | --- | --- | --- |")
    for name in recipe.stages:
        for batch in map(int, arguments.batch.split(",")):
            print(row(recipe, name, batch, arguments.seconds), flush=True)
    print(f"\n{line()}")


def shapes(called: str, recipe: Recipe, batch: int) -> str:
    """Return a table of what each stage's step keeps."""
    lines = ["| | kept | with `recompute` |", "| --- | --- | --- |"]
    for name, stage in Cascade.build(recipe, device="meta").stages.items():
        length, kept = recipe.stages[name].train.length, []
        for recomputed in (False, True):
            with wrap_blocks(stage, recompute=recomputed):
                size = training_bytes(stage, samples=length, batch=batch) or 0
            kept.append(size - ADAM_COPIES * sum(it.nbytes for it in stage.parameters()))
        lines.append(f"| {called}, {name} | {kept[0] / 1e6:,.0f} MB | {kept[1] / 1e6:,.0f} MB |")
    return "\n".join(lines)


def row(recipe: Recipe, name: str, batch: int, seconds: float) -> str:
    """Return a row of the table."""
    (zero, plain), (_, again) = (points(recipe, name, batch, seconds, it) for it in (False, True))
    left = (again.bytes - zero.bytes) / (plain.bytes - zero.bytes)
    time = (again.seconds or 0.0) / (plain.seconds or 1.0)
    precision = recipe.stages[name].train.precision
    return (
        f"| {name}, {precision}, {batch} | {plain.bytes / 2**20:,.0f} MiB | "
        f"{again.bytes / 2**20:,.0f} MiB | {left:.0%} | {time:.2f} |"
    )


def points(
    recipe: Recipe, name: str, batch: int, seconds: float, recompute: bool
) -> tuple[StepSample, StepSample]:
    """Return what is there before a step, and a step of the batch."""
    settings = recipe.stages[name].train.model_copy(update={"recompute": recompute})
    task = Task(recipe.to_yaml(), name, settings.model_dump() | {"accumulate": 1}, None)
    found = run_probe(task, [batch], seconds=seconds)
    if found.points[-1].batch != batch:
        raise SystemExit(f"{name}, batch {batch}: {found.stopped}; try more --seconds")
    return found.points[0], found.points[-1]


if __name__ == "__main__":
    main()
