"""Where a row came from: the chain of seeds it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .records import Seed


def ancestors(seed: Seed, known: Mapping[str, Seed]) -> Iterator[Seed]:
    """The seed's parent, the parent's parent and so on, the nearest first.

    Args:
        seed: the row; `parent` names the seed it was made from.
        known: seeds by id. The chain ends where a parent is not among them.
    """
    seen = {seed.id}
    while seed.parent in known and seed.parent not in seen:
        seed = known[seed.parent]
        seen.add(seed.id)
        yield seed
