"""`python -m mousai_kit` is `mousai-kit`."""

from mousai_kit.cli import main

main()
