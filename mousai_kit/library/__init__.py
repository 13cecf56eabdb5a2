"""A library of music: what it holds, and what is wrong with it, before anything learns from it."""
