"""Training: loading, the loop for one stage, validation, the log."""

from mousai_kit.training.loop import Place, Training

__all__ = ["Place", "Training"]
