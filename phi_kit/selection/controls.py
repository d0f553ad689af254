"""The control arms: random rows that cost as much training as the teachable ones.

`control` draws from the seeds whose answers are trusted, whatever their pass rate:
against it a gain shows what the band is worth. `unfiltered` draws from everyone,
the suspects included: against it a gain shows what the whole filter is worth.
Both draw the teachable rows too; leaving them out would be a selection of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.rng import label_seed
from phi_kit.training.arms import matched_control

if TYPE_CHECKING:
    import pandas as pd

ARMS = ("teachable", "control", "unfiltered")


def matched(rows: pd.DataFrame, *, rng_seed: int) -> dict[str, pd.Series]:
    """The control arms as columns, matched in rows, trained tokens and tokens.

    Args:
        rows: `tier`, `answer`, `tokens` and `trained` of every seed; one without
            an answer cannot be trained on and is drawn by nobody.
        rng_seed: the draw is repeatable.
    """
    # One number for both: what the loss sees counts first, then the whole length.
    sizes = rows.trained * (int(rows.tokens.sum()) + 1) + rows.tokens
    everyone = rows.index[rows.answer != ""]
    trusted = everyone[rows.tier[everyone] != "suspect"]
    pools = {"control": trusted, "unfiltered": everyone}
    seeds = {"control": rng_seed, "unfiltered": label_seed(rng_seed, "unfiltered")}
    found = {}
    for name, pool in pools.items():
        chosen = [i for i, tier in enumerate(rows.tier[pool]) if tier == "teachable"]
        drawn = matched_control(sizes[pool].tolist(), chosen, rng_seed=seeds[name])
        found[name] = rows.index.isin(pool[drawn])
    return found


def sizes(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
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
