"""Do domains keep their gains when their data is merged? An equivalence question.

That no loss was found is no proof that there is none: merged and alone are held
against a margin that was fixed beforehand, by two one-sided tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phi_kit.stats import power
from phi_kit.stats.comparison import gain_over_seeds, holm_adjust, paired_p_value
from phi_kit.stats.paired_tests import equivalence, verdict_within
from phi_kit.stats.recipe_gain import recipe_gain

ItemScores = Mapping[tuple[str, str], Sequence[float]]  # by adapter and domain


def retention(
    items: ItemScores,
    domains: Sequence[str],
    finals: Sequence[str],
    *,
    margin: float,
    rng_seed: int,
) -> list[dict[str, Any]]:
    """Per domain: the merged adapter against the one tuned on it alone.

    Args:
        items: one accuracy per dev item, by adapter and domain.
        domains: each has an adapter of its own, called as it is.
        finals: the merged adapter, one for each training seed.
        margin: within which the two count as equal, in points of 1.
        rng_seed: the resampling is repeatable.

    Returns:
        Rows with both accuracies, the paired gain of merging with its interval, the
        test of equivalence, `verdict` (better, worse, equal within the margin, cannot
        tell) and `as_recipe`, the same over training seeds.
    """
    rows = []
    for name in domains:
        alone = items[name, name]
        merged = [items[final, name] for final in finals]
        over = gain_over_seeds([alone], merged, rng_seed=rng_seed)
        mean = np.mean(merged, axis=0)
        equal = equivalence(alone, mean, margin=margin)
        rows.append(
            {
                "domain": name,
                "alone": float(np.mean(alone)),
                "merged": float(mean.mean()),
                **over.as_dict(),
                "verdict": verdict_within(over, equal),
                "as_recipe": recipe_gain([alone], merged).verdict,
                "margin": margin,
                "equal_p": equal.p,
                "equal_low": equal.low,
                "equal_high": equal.high,
                "needed": needed_items(alone, mean, margin=margin),
            }
        )
    return rows


def needed_items(
    alone: Sequence[float], merged: Sequence[float], *, margin: float
) -> int:
    """Items on which these two, were they equal, would be shown to be, 4 times of 5."""
    spread = float(np.var(np.asarray(merged, float) - np.asarray(alone, float)))
    return power.items_for_equivalence(margin, min(max(spread, 0.01), 1.0))


def interference(
    items: ItemScores, domains: Sequence[str], *, rng_seed: int
) -> list[dict[str, Any]]:
    """Every cell off the diagonal: what training on one domain did to another.

    Args:
        items: as in `retention`, with `base` among the adapters.
        domains: that were trained on alone, and measured.
        rng_seed: the resampling is repeatable.

    Returns:
        Rows of `trained_on`, `measured_on`, the paired gain over base with its
        interval, `p`, and `p_holm` corrected for so many cells.
    """
    cells = [(one, other) for one in domains for other in domains if one != other]
    rows, ps = [], []
    for trained, measured in cells:
        before, after = items["base", measured], items[trained, measured]
        over = gain_over_seeds([before], [after], rng_seed=rng_seed)
        ps.append(paired_p_value(before, after, rng_seed=rng_seed))
        rows.append({"trained_on": trained, "measured_on": measured, **over.as_dict()})
    for row, p, corrected in zip(rows, ps, holm_adjust(ps), strict=True):
        row |= {"p": p, "p_holm": corrected}
    return rows


def foresight(domains: int, items: int, *, margin: float) -> list[str]:
    """What these dev items will be able to say, and what more domains cost.

    The report showed the additive property for domains that were tuned alone and
    merged; for many it has to be checked, not assumed.

    Args:
        domains: that are merged.
        items: dev items of the smallest.
        margin: within which merged and alone count as equal.

    Returns:
        Lines for the reader; none for a single domain.
    """
    if domains < 2:
        return []
    cells = domains * (domains - 1)
    error = power.standard_error(items, power.paired_sd(power.DISCORDANCE))
    seen = 100 * power.minimum_detectable(error)
    lines = [
        f"before the run: {power.foreseen(items, margin=margin)}",
        f"{domains} domains: {cells} pairs in which one may pay for another; with "
        f"{items} items a loss below {seen:.0f} points is missed one time in five or "
        "more",
    ]
    if domains > 2:
        chance = 1 - 0.95**cells
        lines.append(
            f"by chance alone {chance:.0%} of such tables hold a false loss or gain: "
            "read p_holm; more domains than two are better merged step by step"
        )
    return lines
