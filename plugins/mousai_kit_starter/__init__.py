"""Trained weights that come with mousai-kit: the hook that offers them as `starter`.

They lie in the folder `starter`, as `mousai-kit publish` writes it; a checkout may lack them.
The code is under mousai-kit's licence, the weights are under CC-BY-SA-4.0 (`licences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import mousai_kit.api as mk

NAME = "starter"
FOLDER = Path(__file__).parent / NAME


@mk.hookimpl
def mousai_kit_trained() -> Mapping[str, Path]:
    """Return the trained system `starter`, where its weights are here."""
    return {NAME: FOLDER} if any(FOLDER.glob("*/weights.safetensors")) else {}
