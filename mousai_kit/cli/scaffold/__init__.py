"""Scaffold: what `mousai-kit new` writes, to begin a plug-in or a recipe with."""

from mousai_kit.cli.scaffold.plugin import new_plugin
from mousai_kit.cli.scaffold.recipe import new_recipe

__all__ = ["new_plugin", "new_recipe"]
