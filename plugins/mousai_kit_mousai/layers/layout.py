"""Frames [b, t, c] and images [b, c, 1, t], channels last both: two views of the same memory.

Linear layers, attention and layer norms read frames; convolutions and group norms read images.
Neither has to be transposed on the way. b batch, t time, c channels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def as_image(x: Tensor) -> Tensor:
    """Return frames [b, t, c] as an image [b, c, 1, t] whose channels lie last."""
    return x.unsqueeze(1).permute(0, 3, 1, 2)


def as_frames(image: Tensor) -> Tensor:
    """Return an image [b, c, 1, t] as frames [b, t, c]."""
    return image.squeeze(2).transpose(1, 2)


def layer_norm(x: Tensor) -> Tensor:
    """Return frames [b, t, c] with mean 0 and variance 1 over their channels."""
    return F.layer_norm(x, x.shape[2:])
