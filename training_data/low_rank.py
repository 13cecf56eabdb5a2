"""Keep the changes of a distilled stage low-rank: a system of a smaller file.

    python training_data/low_rank.py RUN --rank 64 --out SMALLER

The changes of each weight become their best approximation of that rank (singular values). Prints
how much of them it keeps. `SMALLER` is a run folder, whose recipe says the rank.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder

WHOLE, DOWN, UP = ("change.whole.", "change.down.", "change.up.")
"""How the changes are called in a distilled stage's state."""


def main() -> None:
    """Write the smaller run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--stage", default="generator")
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    old, new = RunFolder(arguments.run), RunFolder(arguments.out)
    recipe = load_recipe(old.recipe, run=arguments.run)
    smaller = load_recipe(
        old.recipe, [f"stages.{arguments.stage}.distil.rank={arguments.rank}"], run=arguments.run
    )
    new.make()
    new.write("recipe.yaml", smaller.to_yaml())
    for name in recipe.stages:
        tensors, header = checkpoint.read_checkpoint(old.stage(name).weights)
        if name == arguments.stage:
            wanted = Cascade.build(smaller, device="meta").stages[name].state_dict()
            tensors = shrink(tensors, wanted)
        about = {key: value for key, value in header.items() if key not in checkpoint.PLAIN}
        new.stage(name).path.mkdir(exist_ok=True)
        checkpoint.write_checkpoint(
            new.stage(name).weights, tensors, {**about, **new.provenance(smaller, name)}
        )


def shrink(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state whose changes are of the rank that the `wanted` state has."""
    found = {name: tensor for name, tensor in tensors.items() if name in wanted}
    kept = total = 0.0
    for name in (name for name in wanted if name.startswith(UP)):
        key, rank = name.removeprefix(UP), wanted[name].shape[1]
        change = tensors[WHOLE + key].flatten(1).float()
        left, values, right = torch.linalg.svd(change, full_matrices=False)
        root = values[:rank].sqrt()
        found[UP + key] = left[:, :rank] * root
        found[DOWN + key] = root[:, None] * right[:rank]
        kept, total = (
            kept + values[:rank].square().sum().item(),
            total + values.square().sum().item(),
        )
    print(f"kept of the changes' energy: {100 * kept / total:.1f} %")
    return found


if __name__ == "__main__":
    main()
