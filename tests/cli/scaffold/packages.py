"""One package of every kind, as `mousai-kit new plugin` writes it."""

from pathlib import Path

from mousai_kit.cli.scaffold.plugin import LONGEST, new_plugin
from mousai_kit.core.interfaces import KINDS


def name_of(kind):
    """Return what the component of a kind is called: `my-text-encoder`."""
    return f"my-{kind.replace('_', '-')}"


def longest_name_of(kind):
    """Return the longest name that there can be, of one word: no line of code is longer."""
    return f"my{kind.replace('_', '')}{'x' * LONGEST}"[:LONGEST]


def write_all(folder, called=name_of):
    """Write a package of every kind into a folder; return their folders by kind."""
    packages = {kind: Path(folder, f"mousai-kit-{called(kind)}") for kind in KINDS}
    for kind, package in packages.items():
        new_plugin(called(kind), kind, package)
    return packages
