"""Exchange: weights of other projects come in, a run's weights go out."""
