"""Training: a recipe's stages, one after the other, watched and resumable."""
