"""Runaway loops: where a text says the same over and over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# The kit's own choice: prose may say a thing four times, a list may run long.
COPIES, TOKENS, PERIOD = 5, 48, 512


@dataclass(frozen=True)
class Loop:
    """`copies` of the `period` tokens from `start` on, one after the other."""

    start: int
    period: int
    copies: int


def loops(tokens: Sequence[int]) -> Iterator[Loop]:
    """Every loop, those of a short period first.

    A loop is a stretch of at least `TOKENS` tokens that consists of at least
    `COPIES` copies of at most `PERIOD` tokens, in a row and without a gap.

    Args:
        tokens: token ids of a completion.
    """
    line = np.asarray(tokens)
    for period in range(1, min(PERIOD, len(line) // COPIES) + 1):
        needed = max(period * COPIES, TOKENS) - period
        if needed > len(line) - period:
            continue
        # Where each token equals the one a period before it, and how long on end.
        same = np.concatenate(([False], line[period:] == line[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        runs = edges[1::2] - edges[::2]
        for place in np.flatnonzero(runs >= needed):
            copies = int(runs[place]) // period + 1
            yield Loop(int(edges[2 * place]), period, copies)
