"""Randomness from hashed labels.

Every random choice has a name: `rng(7, "split", "math", 3)`. Adding a choice
never shifts another one, and neighbouring labels share nothing (which
`seed + i` does not promise: neighbouring reasoning-gym seeds share items).
"""

from __future__ import annotations

import hashlib

import numpy as np


def label_seed(seed: int, *labels: object) -> int:
    """A 63-bit integer from a seed and labels, the same on every platform."""
    text = "\x1f".join([str(seed), *map(str, labels)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def rng(seed: int, *labels: object) -> np.random.Generator:
    """A generator of its own for these labels."""
    return np.random.default_rng(label_seed(seed, *labels))
