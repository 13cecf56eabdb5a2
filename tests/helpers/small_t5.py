"""A T5 of the smallest size, saved as transformers saves a whole one."""

from pathlib import Path

import torch

import mousai_kit.api as mk
from mousai_kit_mousai.t5_scratch import train_tokenizer

CAPTIONS = ["Egyptian Darbuka, Drums, Rythm, (Deluxe Edition), 2 of 4", "Metal, 2011, 1 of 4"]
FEATURES = 32


def save(folder: Path) -> Path:
    """Save one, decoder and all, in a folder; return the folder."""
    library = mk.transformers()
    torch.manual_seed(0)
    config = library.T5Config(
        vocab_size=600,
        d_model=FEATURES,
        d_kv=16,
        d_ff=48,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
    )
    library.T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer = train_tokenizer(CAPTIONS, 512)
    tokenizer.enable_padding(length=7)  # as checkpoints carry what their makers last used
    tokenizer.enable_truncation(3)
    library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>"
    ).save_pretrained(folder)
    return folder
