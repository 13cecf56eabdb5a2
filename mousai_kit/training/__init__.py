"""Training: loading, the loop for one stage, validation, the log."""

from mousai_kit.training.files import Place
from mousai_kit.training.loop import Training

__all__ = ["Place", "Training"]
