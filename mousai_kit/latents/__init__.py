"""Latents: what a stage above the first learns from, encoded once, kept in shards on the disk."""

from mousai_kit.latents.encoding import Encoding
from mousai_kit.latents.keeping import check_room_for, keep
from mousai_kit.latents.reading import LatentClips

__all__ = ["Encoding", "LatentClips", "check_room_for", "keep"]
