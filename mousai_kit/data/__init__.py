"""Data: tracks, captions, crops, loaders, latents made beforehand, what a data set is like."""
