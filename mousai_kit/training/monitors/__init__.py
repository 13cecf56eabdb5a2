"""Watching: what goes wrong while a stage is trained is told in a line, with its figure."""

from mousai_kit.training.monitors.base import Monitor
from mousai_kit.training.monitors.contention import Contention
from mousai_kit.training.monitors.data import DataQualityMonitor, DataWaitMonitor
from mousai_kit.training.monitors.loss import LossTrendMonitor, OverfittingMonitor
from mousai_kit.training.monitors.optimizer import (
    GradientClipMonitor,
    LossScaleMonitor,
    UpdateRatioMonitor,
)
from mousai_kit.training.monitors.output import ConditioningMonitor, SampleLevelMonitor
from mousai_kit.training.monitors.pace import Pace


def default_monitors(*, fresh: bool) -> list[Monitor]:
    """Return all watchers; `fresh` says that a stage begins with weights that know nothing."""
    return [
        DataQualityMonitor(),
        UpdateRatioMonitor(),
        *([LossTrendMonitor()] if fresh else []),
        GradientClipMonitor(),
        LossScaleMonitor(),
        DataWaitMonitor(),
        Contention(),
        Pace(),
        ConditioningMonitor(),
        OverfittingMonitor(),
        SampleLevelMonitor(),
    ]
