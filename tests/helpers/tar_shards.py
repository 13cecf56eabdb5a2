"""Tar shards for tests, written by the library webdataset."""

import gzip
from pathlib import Path

import nano
import webdataset


def sound(name="sound.flac", **options):
    """Return the bytes of a note, encoded as the name's ending says."""
    path = nano.tone(Path(name), **options)
    data = path.read_bytes()
    path.unlink()
    return data


def shard(path, samples):
    """Write samples, key by key with their members by ending; return the shard."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as writer:
        for key, members in samples.items():
            writer.write({"__key__": key, **members})
    return path


def zipped(path):
    """Write a compressed copy beside a shard."""
    copy = path.with_suffix(".tar.gz")
    copy.write_bytes(gzip.compress(path.read_bytes()))
    return copy
