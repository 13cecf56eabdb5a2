"""Room: whether the disk holds what a run will leave, looked at before anything is trained."""

from __future__ import annotations

from itertools import dropwhile

from mousai_kit.cascade import Cascade
from mousai_kit.errors import listed
from mousai_kit.extent import data_facts, disk_facts, latent_facts
from mousai_kit.memory import check_room
from mousai_kit.recipe import Recipe
from mousai_kit.runs import RunFolder
from mousai_kit.standing import stands
from mousai_kit.tuning.tuned import Tuned


def check_disk(recipe: Recipe, folder: RunFolder) -> None:
    """Raise RequestError where the disk won't hold what the stages yet to be trained leave.

    What is known beforehand is counted: checkpoints, weights, and latents to learn from.
    """
    names = [*dropwhile(lambda it: stands(recipe, folder, it), recipe.stages)]
    if not names:
        return
    outline = Cascade.build(recipe, device="meta")
    needed = sum(max(0, _left(recipe, outline, it) - _there(folder, it)) for it in names)
    check_room(
        folder.path,
        needed,
        f"training {listed(names)} (checkpoints, weights, latents)",
        "free some, lower `keep` or `passes`, or use another folder with --out",
    )


def _left(recipe: Recipe, outline: Cascade, name: str) -> int:
    """Return about how many bytes a stage's training leaves, while one checkpoint is written."""
    stage, train = outline.stages[name], recipe.stages[name].train
    tuned = Tuned(recipe, name, stage)
    weights: int = disk_facts(outline, name)["weights"]
    if not tuned.learns:
        return weights
    tuned.begin()
    given = recipe.stages[name].weights is not None
    checkpoint: int = disk_facts(outline, name, given=given)["checkpoint"]
    files = 2 if train.keep_best or train.finish == "best" else 1
    return (train.keep + 1) * checkpoint + files * weights + _latents(recipe, outline, name)


def _latents(recipe: Recipe, outline: Cascade, name: str) -> int:
    """Return the bytes of the latents that a stage learns from, 0 where they can't be told."""
    train = recipe.stages[name].train
    if outline.stages[name].below.stride == 1:
        return 0
    facts = latent_facts(outline, name, train, data_facts(recipe, train, None)["clips"], None)
    return (facts or {}).get("bytes") or 0


def _there(folder: RunFolder, name: str) -> int:
    """Return the bytes of a stage's files that are there: they stay, or are replaced."""
    return sum(it.stat().st_size for it in folder.stage(name).path.rglob("*.safetensors"))
