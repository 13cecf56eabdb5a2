"""Publications on the Hugging Face hub: trained systems, fetched whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mousai_kit.core.errors import WeightsError
from mousai_kit.core.packaged import RECIPE, WEIGHTS
from mousai_kit.models import hub
from mousai_kit.recipe.nodes import Location, Node, ProblemCollector
from mousai_kit.recipe.yaml import read_file
from mousai_kit.runs.model_card import README
from mousai_kit.runs.weight_source import COMMIT

_STAGE = re.compile(rf"[a-z0-9_-]+/{re.escape(WEIGHTS)}")


def fetch_publication(model: str, revision: str | None) -> tuple[Path, str]:
    """Return the folder of a trained system on the hub, and the commit that it is of.

    Of a commit that is here already nothing is asked. WeightsError where it can't be had, or is no
    system. Its recipe is data: it can't lead to other files here.
    """
    try:
        if revision is not None and COMMIT.fullmatch(revision):
            folder = hub.find_cached(model, revision, [])
            if folder is not None and _is_whole(model, folder):
                return folder, revision
        commit, files = hub.list_repo_files(model, revision)
        folder = hub.download(model, commit, _wanted_files(model, files))
        _stages_in(model, folder)
    except WeightsError:
        raise
    except Exception as error:  # whatever the hub's client and its network library raise
        told = f"can't be fetched: {hub.explain_hub_error(error, RECIPE)}"
        if revision is None:  # which a folder has none of
            told = f"there is no such run folder here, and from the Hugging Face hub it {told}"
        raise WeightsError.about(model, told) from error
    return folder, commit


def _wanted_files(model: str, files: Sequence[str]) -> list[str]:
    """Return the files of a system; WeightsError where it is none."""
    weights = [file for file in files if _STAGE.fullmatch(file)]
    if RECIPE not in files or not weights:
        told = (
            f"is no trained system, as it has no {RECIPE if weights else f'<stage>/{WEIGHTS}'}; "
            "weights alone are for `weights` of a recipe's stage, or for `mousai-kit import`"
        )
        raise WeightsError.about(model, told)
    return [RECIPE, *weights, *(name for name in (README,) if name in files)]


def _is_whole(model: str, folder: Path) -> bool:
    """Return whether all of a system is in a folder: an earlier fetch may have been interrupted."""
    if not (folder / RECIPE).is_file():
        return False
    return all((folder / stage / WEIGHTS).is_file() for stage in _stages_in(model, folder))


def _stages_in(model: str, folder: Path) -> list[str]:
    """Return the names of the stages in a fetched recipe; WeightsError where it extends another."""
    origin = Location(0, source=f"{model}/{RECIPE}")
    tree = read_file(folder / RECIPE, origin, ProblemCollector())
    if "extends" in tree.value:
        told = "extends another recipe, which is not followed from the hub; publish it whole"
        raise WeightsError.about(origin.source, told)
    stages = tree.value.get("stages", Node({}, tree.origin)).value
    return list(stages) if isinstance(stages, dict) else []
