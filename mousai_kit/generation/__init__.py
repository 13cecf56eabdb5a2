"""From a prompt or a wave to audio files."""
