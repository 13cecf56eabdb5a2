"""A package with a trained system, on a shelf of packages."""

import json
from pathlib import Path

CARD = """\
---
license: mit
library_name: mousai-kit
---

# Piano

A nano run that hums. It is for tests.
"""


def put(folder, name="piano", *, run=None, card=CARD):
    """Put a run's recipe and weights, with a card, into the folder of a package's system."""
    import shutil

    system = Path(folder) / name
    system.mkdir(parents=True)
    if run is not None:
        shutil.copy(run / "recipe.yaml", system)
        for weights in run.glob("*/weights.safetensors"):
            (system / weights.parent.name).mkdir()
            shutil.copy(weights, system / weights.parent.name)
    if card is not None:
        (system / "card.md").write_text(card)
    return system


def code(systems):
    """Return the code of a plug-in that offers systems by name."""
    paths = ", ".join(f"{json.dumps(name)}: Path({str(it)!r})" for name, it in systems.items())
    return f"""
    from pathlib import Path
    import mousai_kit.api as mk

    @mk.hookimpl
    def mousai_kit_trained():
        return {{{paths}}}
    """
