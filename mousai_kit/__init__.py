"""mousai-kit: text-to-music diffusion systems, put together from parts."""

__version__ = "0.1.0"
