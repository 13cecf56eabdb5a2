"""Any text encoder of transformers, pretrained and frozen. n tokens, d features."""

from __future__ import annotations

from typing import Any

import torch

import mousai_kit.api as mk
from mousai_kit_transformers.families import check_family, encoder_of


class Transformer(mk.PretrainedText):
    """Pretrained encoder of any family of transformers, frozen: BERT, RoBERTa, CLIP, CLAP, ...

    Of a network that does more, only what reads text is kept: CLIP's text tower, BART's encoder.
    Decoders, which know nothing of the words to come, are refused.
    """

    name = "transformer"
    ways_out = (
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
    def opened(cls, checkpoint: mk.Checkpoint, options: Options) -> mk.TextNetwork:
        """Return a checkpoint's encoder; WeightsError where it is none, broken or of other size."""
        check_family(checkpoint)
        whole, missing = checkpoint.network("AutoModel")
        encoder, inside = encoder_of(whole)
        if encoder.main_input_name != "input_ids":
            raise checkpoint.fault(f"reads no text (it takes {encoder.main_input_name})")
        checkpoint.check_complete([it for it in missing if _counts(it, inside)])
        vocabulary = encoder.get_input_embeddings().num_embeddings
        tokenizer = checkpoint.tokenizer(vocabulary)
        padding = getattr(encoder.config, "pad_token_id", None) or 0
        if not 0 <= padding < vocabulary:
            raise checkpoint.fault(
                f"pads with token {padding}, but has tokens 0 to {vocabulary - 1}"
            )
        network = mk.TextNetwork(tokenizer, encoder, layer=options.layer, padding=padding)
        checkpoint.check_features(_tried(network, checkpoint, options), options.features)
        return network


def _counts(tensor: str, inside: str) -> bool:
    """Return whether a tensor is of the part that is used: a pooler makes one vector of a text."""
    return tensor.startswith(inside) and "pooler" not in tensor.split(".")


def _tried(network: mk.TextNetwork, checkpoint: mk.Checkpoint, options: Transformer.Options) -> int:
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
        raise checkpoint.fault(f"can't be used ({mk.first_line(failure)})") from failure
    what = f"reads {most} tokens at most; set `tokens: {most}` (got {options.tokens})"
    raise checkpoint.fault(what, instead=False)


@torch.no_grad()
def _features(network: mk.TextNetwork, tokens: int) -> int:
    """Return d of the embeddings of a text of so many tokens."""
    ids, mask = mk.token_ids(network.tokenizer, ["a " * tokens], tokens, padding=network.padding)
    return int(network(input_ids=ids, attention_mask=mask).shape[2])


def _most(network: mk.TextNetwork, tokens: int) -> int:
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
