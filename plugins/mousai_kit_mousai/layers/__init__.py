"""Layers of the networks: resnet, modulation, injection, attention, skips, depths."""
