"""Any text encoder of transformers, pretrained and frozen. n tokens, d features."""

from __future__ import annotations

from typing import Any

import torch

import mousai_kit.api as mk


class Transformer(mk.PretrainedTextEncoder):
    """Pretrained encoder of any family of transformers, frozen: BERT, RoBERTa, CLIP, CLAP, ...

    Of a network that does more, only what reads text is kept: CLIP's text tower, BART's encoder.
    Decoders, which know nothing of the words to come, are refused.
    """

    name = "transformer"
    fallback_hint = (
        "give a folder that holds an encoder as transformers saves it with its tokenizer "
        "(`text: {use: transformer, model: /path/to/folder}`), or use another text encoder "
        "(`mousai-kit ls text_encoder`)"
    )

    class Options(mk.PretrainedOptions):
        """Options of `text: transformer`."""

        layer: int = mk.Field(
            -1,
            ge=-100,
            le=100,
            description="hidden layer that is read: 0 the words, 1 the first, ..., -1 the last",
        )

    @classmethod
    def load_model(
        cls, checkpoint: mk.PretrainedCheckpoint, options: Options
    ) -> mk.FrozenTextModel:
        """Return a checkpoint's encoder; WeightsError where it is none, broken or of other size."""
        check_family(checkpoint)
        whole, missing = checkpoint.network("AutoModel")
        encoder, inside = encoder_of(whole)
        if encoder.main_input_name != "input_ids":
            raise checkpoint.fault(f"reads no text (it takes {encoder.main_input_name})")
        used = (name for name in missing if name.startswith(inside))
        # A pooler may be missing: it makes one vector.
        checkpoint.check_complete([name for name in used if "pooler" not in name.split(".")])
        vocabulary = encoder.get_input_embeddings().num_embeddings
        tokenizer = checkpoint.tokenizer(vocabulary)
        padding = getattr(encoder.config, "pad_token_id", None) or 0
        if not 0 <= padding < vocabulary:
            raise checkpoint.fault(
                f"pads with token {padding}, but has tokens 0 to {vocabulary - 1}"
            )
        network = mk.FrozenTextModel(tokenizer, encoder, layer=options.layer, padding=padding)
        checkpoint.check_features(_probe_width(network, checkpoint, options), options.features)
        return network


def _probe_width(
    network: mk.FrozenTextModel, checkpoint: mk.PretrainedCheckpoint, options: Transformer.Options
) -> int:
    """Return d, from a text that is as long as can be: so what does not fit shows here."""
    try:
        return _features(network, options.tokens)
    except Exception as error:  # each family says in its own way that a text is too long
        failure = error
    config: Any = network.network.config
    layers = config.num_hidden_layers
    if not -layers - 1 <= options.layer <= layers:
        what = f"has {layers} layers; set `layer` to -1, or to 0 to {layers} (got {options.layer})"
        raise checkpoint.fault(what, instead=False)
    if (most := _most(network, options.tokens)) < 2:
        raise checkpoint.fault(f"can't be used ({mk.error_summary(failure)})") from failure
    what = f"reads {most} tokens at most; set `tokens: {most}` (got {options.tokens})"
    raise checkpoint.fault(what, instead=False)


@torch.no_grad()
def _features(network: mk.FrozenTextModel, tokens: int) -> int:
    """Return d of the embeddings of a text of so many tokens."""
    ids, mask = mk.tokenize(network.tokenizer, ["a " * tokens], tokens, padding=network.padding)
    return int(network(input_ids=ids, attention_mask=mask).shape[2])


def _most(network: mk.FrozenTextModel, tokens: int) -> int:
    """Return how many tokens a network reads, below a number that is too many; 1 for none."""
    fewest, too_many = 1, tokens
    while too_many - fewest > 1:
        middle = (fewest + too_many) // 2
        try:
            _features(network, middle)
            fewest = middle
        except Exception:  # as above
            too_many = middle
    return fewest


def check_family(checkpoint: mk.PretrainedCheckpoint) -> None:
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
