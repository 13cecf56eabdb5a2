"""Scaffold: what `mousai-kit new` writes, to begin a plug-in or a recipe with."""
