"""A Stable Diffusion pipeline of the smallest size, as diffusers saves it."""

import atexit
import json
import os
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path

import torch

from mousai_kit_riffusion import pipeline

LETTERS = "abcdefghijklmnopqrstuvwxyz,0123456789"
WORDS = [
    *LETTERS,
    *(f"{letter}</w>" for letter in LETTERS),
    "lo",
    "<|startoftext|>",
    "<|endoftext|>",
]
HIGH, WIDE = 32, 16
"""Of its pictures."""
FOLDER = Path(tempfile.gettempdir()) / f"mousai-kit-small-pipeline-{os.getpid()}"
OPTIONS = {
    "model": str(FOLDER),
    "steps": 3,
    "frames": WIDE,
    "picture": {"bands": HIGH, "highest": 4000.0, "iterations": 2},
}
"""Of a stage `riffusion` for audio at 8 kHz."""


def build():
    """Return a fresh pipeline, with weights that are large enough to make pictures differ."""
    library = pipeline.diffusers()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return library.StableDiffusionPipeline(
            vae=_vae(library),
            unet=_unet(library),
            scheduler=library.DDIMScheduler(steps_offset=1, clip_sample=False),
            tokenizer=_tokenizer(Path(folder)),
            text_encoder=_text_encoder(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


@cache
def folder():
    """Return `FOLDER`, in which one is saved, for all tests: not to be changed."""
    save(FOLDER)
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
    return FOLDER


def save(folder):
    """Save one in a folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build().save_pretrained(folder, safe_serialization=True)


def _vae(library):
    torch.manual_seed(0)
    return library.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        sample_size=WIDE,
    )


def _unet(library):
    torch.manual_seed(1)
    return library.UNet2DConditionModel(
        sample_size=WIDE // 2,
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )


def _tokenizer(folder):
    from transformers import CLIPTokenizer

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\nl o\n")
    names = (str(folder / name) for name in ("vocab.json", "merges.txt"))
    return CLIPTokenizer(*names, model_max_length=16)


def _text_encoder():
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(2)
    last = len(WORDS) - 1
    config = CLIPTextConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=last - 1,
        eos_token_id=last,
        pad_token_id=last,
    )
    return CLIPTextModel(config)
