"""The control arms: random rows that cost as much training as the teachable ones.

`control` draws from the seeds whose answers are trusted, whatever their pass rate:
against it a gain shows what the band is worth. `unfiltered` draws from everyone,
the suspects included: against it a gain shows what the whole filter is worth. Neither
has a seed without a right response, so what only the check on responses drops (a gold
that no worked solution arrives at) is missing from the unfiltered rows, too. Where a
teacher's budget runs out, it has asked a random part of the trusted seeds, and the
suspects last: then they are missing there as well.
Both draw the teachable rows too; leaving them out would be a selection of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from phi_kit.core.rng import label_seed, rng

if TYPE_CHECKING:
    import pandas as pd

ARMS = ("teachable", "control", "unfiltered")


def control_columns(rows: pd.DataFrame, *, rng_seed: int) -> dict[str, pd.Series]:
    """The control arms as columns, matched in rows, trained tokens and tokens.

    Args:
        rows: `tier`, `responses`, `tokens` and `trained` of every seed; one without
            a response cannot be trained on and is drawn by nobody.
        rng_seed: the draw is repeatable.
    """
    # One number for both: what the loss sees counts first, then the whole length.
    sizes = rows.trained * (int(rows.tokens.sum()) + 1) + rows.tokens
    everyone = rows.index[rows.responses > 0]
    trusted = everyone[rows.tier[everyone] != "suspect"]
    pools = {"control": trusted, "unfiltered": everyone}
    seeds = {"control": rng_seed, "unfiltered": label_seed(rng_seed, "unfiltered")}
    found = {}
    for name, pool in pools.items():
        chosen = [i for i, tier in enumerate(rows.tier[pool]) if tier == "teachable"]
        drawn = matched_control(sizes[pool].tolist(), chosen, rng_seed=seeds[name])
        found[name] = rows.index.isin(pool[drawn])
    return found


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


def arm_sizes(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """What each arm costs: how near the matching came.

    `shared` are the rows that are teachable as well. Where the teachable rows are
    the short ones, equal tokens make them more than chance alone would.
    """
    teachable = rows.tier == "teachable"
    masks = {
        "teachable": teachable,
        **{name: rows[name] for name in ARMS[1:]},
    }
    return {
        name: {
            "rows": int(mask.sum()),
            "tokens": int(rows.tokens[mask].sum()),
            "trained": int(rows.trained[mask].sum()),
            "shared": int((mask & teachable).sum()),
        }
        for name, mask in masks.items()
    }
