"""Networks that hear, of the smallest size, as transformers saves them: CLAP and audio taggers."""

import torch
from small_transformers import tokenizer

import mousai_kit.api as mk

SPACE = 8
"""Size of the space of clips and texts."""
LABELS = ("Music", "Speech", "Silence", "Drum", "Guitar")


def clap(folder, *, fusion=False):
    """Save a fresh CLAP with its tokenizer and feature extractor; return it."""
    library = mk.transformers()
    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
        "window_size": 2,
        "spec_size": 64,
        "num_mel_bins": 16,
        "enable_fusion": fusion,
        "fusion_type": "aff_2d" if fusion else None,
        "aff_block_r": 2,
    }
    text = {
        "vocab_size": 99,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 40,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "projection_dim": SPACE,
    }
    torch.manual_seed(0)
    config = library.ClapConfig(
        text_config=text, audio_config={**audio, "projection_dim": SPACE}, projection_dim=SPACE
    )
    made = library.ClapModel(config).eval()
    with torch.no_grad():  # fresh weights are so small that all sounds are alike
        for weight in made.parameters():
            weight.mul_(3)
    made.save_pretrained(folder)
    library.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=48_000,
        max_length_s=1,
        truncation="fusion" if fusion else "rand_trunc",
    ).save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    return made


def spectrogram_tagger(folder):
    """Save a fresh Audio Spectrogram Transformer with its feature extractor; return it."""
    library = mk.transformers()
    torch.manual_seed(0)
    config = library.ASTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_mel_bins=16,
        max_length=64,
        **_labels(),
    )
    made = library.ASTForAudioClassification(config).eval()
    with torch.no_grad():
        made.classifier.dense.weight.mul_(40)
    made.save_pretrained(folder)
    library.ASTFeatureExtractor(num_mel_bins=16, max_length=64).save_pretrained(folder)
    return made


def wave_tagger(folder):
    """Save a fresh wav2vec 2.0 that classifies, with its feature extractor; return it."""
    library = mk.transformers()
    torch.manual_seed(0)
    config = library.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(8, 4),
        conv_kernel=(10, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        **_labels(),
    )
    made = library.Wav2Vec2ForSequenceClassification(config).eval()
    made.save_pretrained(folder)
    library.Wav2Vec2FeatureExtractor(feature_size=1).save_pretrained(folder)
    return made


def _labels():
    names = dict(enumerate(LABELS))
    return {"id2label": names, "label2id": {name: number for number, name in names.items()}}
