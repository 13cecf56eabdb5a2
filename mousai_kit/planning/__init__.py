"""Planning: what a recipe's training will take, measured before its first step."""

from mousai_kit.planning.plan import plan

__all__ = ["plan"]
