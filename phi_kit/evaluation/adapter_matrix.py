"""Every adapter on every domain: accuracies, gains over base, what guessing gives."""

from __future__ import annotations

import pandas as pd

from phi_kit.data.records import Seed
from phi_kit.stats.comparison import beyond_guessing, paired_gain
from phi_kit.stats.intervals import accuracy

ItemAccuracies = dict[tuple[str, str], list[float]]  # by adapter and domain
GUESS = "one constant answer"  # stands among the adapters: what guessing gives


def compare_adapters(items: ItemAccuracies, *, rng_seed: int) -> pd.DataFrame:
    """One row per adapter and domain: accuracy and paired gain over base.

    Base and `GUESS` stand among the adapters; they have no verdict. `guess` is the
    guesser's accuracy in that domain.
    """
    rows = []
    for (adapter, name), values in items.items():
        over = paired_gain(items["base", name], values, rng_seed=rng_seed)
        guess = items[GUESS, name]
        beyond = paired_gain(guess, values, rng_seed=rng_seed)
        verdict = beyond_guessing(over.verdict, beyond)
        row = {
            "adapter": adapter,
            "domain": name,
            **accuracy(values, rng_seed=rng_seed).as_dict(),
            "guess": sum(guess) / len(guess),
            "verdict": "" if adapter in ("base", GUESS) else verdict,
        }
        if adapter != "base":
            row |= {"delta": over.delta, "delta_low": over.low}
            row |= {"delta_high": over.high}
        rows.append(row)
    return pd.DataFrame(rows)


def item_table(items: ItemAccuracies, dev: dict[str, list[Seed]]) -> pd.DataFrame:
    """One row per adapter and dev item: what studies are compared by."""
    return pd.DataFrame(
        [
            {"adapter": adapter, "domain": name, "seed_id": seed.id, "accuracy": value}
            for (adapter, name), values in items.items()
            for seed, value in zip(dev[name], values, strict=True)
        ]
    )
