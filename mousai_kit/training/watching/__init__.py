"""Watching: what goes wrong while a stage is trained is told in a line, with its figure."""

from mousai_kit.training.watching.clipping import Clipping
from mousai_kit.training.watching.falling import Falling
from mousai_kit.training.watching.listening import Listening
from mousai_kit.training.watching.moving import Moving
from mousai_kit.training.watching.music import Music
from mousai_kit.training.watching.output import Output
from mousai_kit.training.watching.overfitting import Overfitting
from mousai_kit.training.watching.scaling import Scaling
from mousai_kit.training.watching.waiting import Waiting
from mousai_kit.training.watching.watcher import Watcher

__all__ = [
    "Clipping",
    "Falling",
    "Listening",
    "Moving",
    "Music",
    "Output",
    "Overfitting",
    "Scaling",
    "Waiting",
    "Watcher",
    "watchers",
]


def watchers(*, fresh: bool) -> list[Watcher]:
    """Return all watchers; `fresh` says that a stage begins with weights that know nothing."""
    return [
        Music(),
        Moving(),
        *([Falling()] if fresh else []),
        Clipping(),
        Scaling(),
        Waiting(),
        Listening(),
        Overfitting(),
        Output(),
    ]
