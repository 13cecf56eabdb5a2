"""Families of networks: which can read a text whole, and where such a one keeps its encoder."""

from __future__ import annotations

from typing import Any

import mousai_kit.api as mk


def check_family(checkpoint: mk.Checkpoint) -> None:
    """Raise WeightsError where the configuration is of no network that could be used."""
    try:
        config = checkpoint.config()
        kind = str(config["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise checkpoint.fault("its config.json describes no network of transformers") from error
    library = mk.transformers()
    if kind not in library.CONFIG_MAPPING:
        if "auto_map" in config:
            raise checkpoint.fault("it needs code of its own, which is never run")
        known = f"transformers {library.__version__} knows no network '{kind}'"
        raise checkpoint.fault(f"its config.json can't be used: {known}")
    family = library.CONFIG_MAPPING[kind]
    reads_on = family in library.MODEL_FOR_CAUSAL_LM_MAPPING
    reads_back = family in library.MODEL_FOR_MASKED_LM_MAPPING or family.is_encoder_decoder
    if config.get("is_decoder") is True or (reads_on and not reads_back):
        raise checkpoint.fault(
            f"is a decoder ({kind}): what it makes of a word knows none after it"
        )


def encoder_of(network: Any) -> tuple[Any, str]:
    """Return the part of a network that reads text, and how the names of its tensors begin.

    The whole of BERT, the text tower of CLIP, the encoder of BART.
    """
    part = getattr(network, "text_model", network)
    if type(part.config).is_encoder_decoder or part.config.is_encoder_decoder:
        part = part.get_encoder()
    name = next(name for name, module in network.named_modules() if module is part)
    return part, f"{name}." if name else ""
