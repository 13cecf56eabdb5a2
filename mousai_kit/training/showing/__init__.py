"""Showing: what a training lets one see of itself, on the screen, in pictures and in trackers."""
