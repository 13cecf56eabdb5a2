"""Weights of the authors' packages: what they call a stage's tensors, and which they lack."""
