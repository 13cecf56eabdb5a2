"""Seeds that are independent of each other, of the platform and of the order of calls."""

from __future__ import annotations

from hashlib import blake2b


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2^63) that depends on all parts: `derive(seed, "training", step)`."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1
