"""Planning: what a recipe's training will take, measured before its first step."""

from mousai_kit.training.planning.plan import plan_training

__all__ = ["plan_training"]
