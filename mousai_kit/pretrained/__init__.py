"""Pretrained networks of transformers: from a folder or the hub, safetensors only, never code."""
