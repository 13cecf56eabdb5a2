"""Verifying: whether latents that are kept are what the music and the weights give now."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from torch import Tensor

from mousai_kit.errors import Problem, TrainingError
from mousai_kit.interfaces import Clip
from mousai_kit.latents.crops import crop
from mousai_kit.latents.encoding import Encoding
from mousai_kit.latents.layout import Place
from mousai_kit.latents.reading import LatentClips

GROUPS = 3
"""Groups that are encoded once more: the first one, the last one, and one in the middle."""
BOUND = 1e-3
"""Largest difference, as a share of the crop's largest latent, that another machine may make.

On the same machine, with the same number of threads, there is none.
"""


def verify(encoding: Encoding, kept: LatentClips) -> float:
    """Encode a few crops once more and return the largest difference from those that are kept.

    TrainingError where one differs: its file changed under the same name. What can't be decoded
    any more is passed over.
    """
    return max(chain.from_iterable(_compared(encoding, kept, it) for it in _spread(encoding)))


def _spread(encoding: Encoding) -> list[Sequence[Place]]:
    """Return some groups, from the first to the last."""
    layout = encoding.layout
    shards = {number * (layout.shards - 1) // (GROUPS - 1) for number in range(GROUPS)}
    groups = [list(layout.groups_of(number)) for number in sorted(shards)]
    if len(groups) > 1:
        return [groups[0][0], *(it[len(it) // 2] for it in groups[1:-1]), groups[-1][-1]]
    (only,) = groups
    return [only[place] for place in sorted({0, len(only) // 2, len(only) - 1})]


def _compared(encoding: Encoding, kept: LatentClips, group: Sequence[Place]) -> list[float]:
    """Return how much each crop of a group differs from what is kept; 0.0 where none is there."""
    made = encoding.encoded(group, iter([crop(encoding.clips, place) for place in group]))
    found = [kept.kept(place) for place in group]
    differences = [0.0]
    for (_, now), before in zip(made, found, strict=True):
        if before is None or isinstance(now, str):
            continue
        differences.append(_difference(now.wave, before.wave))
        if differences[-1] > BOUND or now.text != before.text:
            what = "sound" if differences[-1] > BOUND else "caption"
            raise TrainingError(_changed(encoding, before, what))
    return differences


def _difference(now: Tensor, before: Tensor) -> float:
    if now.shape != before.shape:
        return float("inf")
    scale = before.abs().max().clamp_min(1e-12)
    return float((now - before).abs().max() / scale)


def _changed(encoding: Encoding, clip: Clip, what: str) -> Problem:
    return Problem(
        str(encoding.folder),
        "",
        f"the {what} of {clip.source} is not what is kept: the music changed since, or how it is "
        "read; delete this folder to have all encoded anew",
    )
