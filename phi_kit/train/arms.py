"""Arms: the same training on differently chosen rows, so a gain has a cause."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phi_kit.core.rng import rng


def matched_control(
    tokens: Sequence[int], chosen: Sequence[int], *, rng_seed: int, tries: int = 2000
) -> list[int]:
    """Random rows, as many as `chosen` and with nearly as many tokens.

    Rows are drawn from the whole pool, the chosen ones included: a control
    that avoids them would be a selection of its own. Random swaps then bring
    the token count towards that of `chosen`; a swap is kept when it helps.

    Args:
        tokens: length of every row of the pool, in tokens.
        chosen: indices of the rows to match.
        rng_seed: the draw is repeatable.
        tries: how many swaps are tried at most.

    Returns:
        Indices into the pool, sorted.
    """
    sizes, n = np.asarray(tokens), len(chosen)
    draw = rng(rng_seed, "control")
    order = draw.permutation(len(sizes))
    inside, outside = order[:n].copy(), order[n:].copy()
    gap = int(sizes[inside].sum() - sizes[list(chosen)].sum())
    for _ in range(tries if len(outside) and n else 0):
        if gap == 0:
            break
        i, j = draw.integers(n), draw.integers(len(outside))
        change = int(sizes[outside[j]] - sizes[inside[i]])
        if abs(gap + change) < abs(gap):
            inside[i], outside[j] = outside[j], inside[i]
            gap += change
    return sorted(int(index) for index in inside)
