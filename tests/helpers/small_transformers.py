"""Text networks of the smallest size, of several families, as transformers saves them."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

import mousai_kit.api as mk

CAPTIONS = ["slow metal, 2011, 1 of 4", "drums"]
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
FEATURES = 16
SIZES = {"hidden_size": FEATURES, "num_hidden_layers": 2, "num_attention_heads": 2}
READS = {**SIZES, "intermediate_size": 16, "vocab_size": 99, "max_position_embeddings": 40}
TOWER = {**SIZES, "intermediate_size": 16}
CLIP = {
    "text_config": {**READS, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
    "vision_config": {**TOWER, "image_size": 8, "patch_size": 4},
    "projection_dim": 8,
}
BART = {
    "d_model": 16,
    "vocab_size": 99,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    **{f"{part}_layers": 2 for part in ("encoder", "decoder")},
    **{f"{part}_attention_heads": 2 for part in ("encoder", "decoder")},
    **{f"{part}_ffn_dim": 16 for part in ("encoder", "decoder")},
}
FAMILIES = {
    "bert": ("Bert", "BertForMaskedLM", READS),
    "roberta": ("Roberta", "RobertaModel", {**READS, "pad_token_id": 0}),
    "distilbert": ("DistilBert", "DistilBertModel", {"dim": 16, "n_layers": 2, "n_heads": 2,
                   "hidden_dim": 16, "vocab_size": 99, "max_position_embeddings": 40}),
    "deberta-v2": ("DebertaV2", "DebertaV2Model", {**READS, "relative_attention": True,
                   "pos_att_type": ["p2c", "c2p"]}),
    "clip": ("CLIP", "CLIPModel", CLIP),
    "clip-text": ("CLIPText", "CLIPTextModel", CLIP["text_config"]),
    "bart": ("Bart", "BartForConditionalGeneration", BART),
    "t5": ("T5", "T5EncoderModel", {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2,
           "num_heads": 2, "vocab_size": 99}),
}  # fmt: skip


def tokenizer(vocabulary=90):
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(
        CAPTIONS, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIAL)
    )
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return made


def network(family, folder):
    """Save a fresh network with a tokenizer; return it."""
    library = mk.transformers()
    config, architecture, options = FAMILIES[family]
    torch.manual_seed(0)
    made = getattr(library, architecture)(getattr(library, f"{config}Config")(**options)).eval()
    made.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    return made
