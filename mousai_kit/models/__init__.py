"""What networks are made of and stacked into: cascade, guidance, sampling, LoRA."""
