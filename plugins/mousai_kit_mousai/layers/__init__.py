"""Layers of the networks, from products and norms to a depth, and how their weights are packed."""
