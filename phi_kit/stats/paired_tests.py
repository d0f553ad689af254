"""Tests of paired answers: McNemar's, equivalence within a margin, who flipped.

A difference that was not found is no equality. That two models are as good as each
other has to be shown as a difference is: against a margin that was fixed before
anybody looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .comparison import LEVEL, MIN_ITEMS, Gain
from .intervals import wilson_interval

EQUAL = "equal within the margin"


def mcnemar_mid_p(lost: int, gained: int) -> float:
    """Two-sided mid-p of McNemar's test on the items that flipped.

    The exact test gives fewer false alarms than its level and finds less for it; the
    mid-p version counts the observed split half. Source: Fagerland, Lydersen and
    Laake (2013), BMC Medical Research Methodology 13:91; 1 against 7
    gives .0391 there (exact .0703).

    Args:
        lost: items right before and wrong after.
        gained: items wrong before and right after.

    Raises:
        ValueError: a count is negative.
    """
    from scipy.stats import binom

    if min(lost, gained) < 0:
        raise ValueError(f"counts cannot be negative: {lost} and {gained}")
    flipped, fewer = lost + gained, min(lost, gained)
    at = float(binom.pmf(fewer, flipped, 0.5))
    if lost == gained:
        return 1.0 - at / 2 if flipped else 1.0
    return float(2 * binom.cdf(fewer, flipped, 0.5)) - at


@dataclass(frozen=True)
class Equivalence:
    """Whether a paired difference lies within a margin, by two one-sided tests.

    Args:
        margin: half the width of what counts as equal, in points of 1.
        p: the larger of the two one-sided p-values.
        low: lower end of the interval at 1 - 2 x level; both ends within the margin
            is the same claim as `p` below the level.
        high: its upper end.
        n: items.
        level: of each test.
    """

    margin: float
    p: float
    low: float
    high: float
    n: int
    level: float = LEVEL

    @property
    def holds(self) -> bool:
        """Whether the two are shown to be equal within the margin."""
        return self.n >= MIN_ITEMS and self.p < self.level

    def as_dict(self) -> dict[str, Any]:
        """For a manifest or a table."""
        return {**asdict(self), "holds": self.holds}


def equivalence(
    before: Sequence[float],
    after: Sequence[float],
    *,
    margin: float,
    level: float = LEVEL,
) -> Equivalence:
    """Two one-sided paired t-tests of `after - before` against -margin and +margin.

    Source: D. J. Schuirmann (1987), Journal of Pharmacokinetics and
    Biopharmaceutics 15:657; `statsmodels.stats.weightstats.ttost_paired` gives the
    same. Items that all differ alike have no spread to test with: for them the room
    is that of Wilson's interval of none in n.

    Args:
        before: one accuracy per item.
        after: the same items, in the same order.
        margin: in points of 1, fixed before the answers were seen.
        level: of each of the two tests.

    Raises:
        ValueError: not the same items, or no positive margin.
    """
    from scipy.stats import t, ttest_1samp

    if len(before) != len(after):
        raise ValueError(f"not paired: {len(before)} and {len(after)} items")
    if not margin > 0:
        raise ValueError(f"a margin is positive, not {margin}")
    difference = np.asarray(after, float) - np.asarray(before, float)
    n = len(difference)
    if n < 2:
        return Equivalence(margin, 1.0, -1.0, 1.0, n, level)
    mean = float(difference.mean())
    if np.ptp(difference) == 0:
        room = wilson_interval(0, n)[1]
        inside = abs(mean) + room < margin
        return Equivalence(margin, 1.0 - inside, mean - room, mean + room, n, level)
    p = max(
        float(ttest_1samp(difference, -margin, alternative="greater").pvalue),
        float(ttest_1samp(difference, margin, alternative="less").pvalue),
    )
    error = float(difference.std(ddof=1)) / np.sqrt(n)
    half = float(t.ppf(1 - level, n - 1)) * error
    return Equivalence(margin, p, mean - half, mean + half, n, level)


def verdict_within(gain: Gain, equal: Equivalence) -> str:
    """Better, worse, equal within the margin, or cannot tell.

    A difference that is shown counts as one, however small: *equal* is said only
    where neither side is shown to be ahead.
    """
    if gain.verdict == "cannot tell" and equal.holds:
        return EQUAL
    return gain.verdict


def flipped_items(
    ids: Sequence[str], before: Sequence[float], after: Sequence[float]
) -> list[dict[str, Any]]:
    """The items whose accuracy changed, what was lost first, the largest first.

    Args:
        ids: of the items.
        before: accuracy of each.
        after: the same items, in the same order.

    Returns:
        Rows of `seed_id`, `before`, `after`, `change` and `way` (`lost`, `gained`).
    """
    rows = [
        {
            "seed_id": name,
            "before": float(old),
            "after": float(new),
            "change": float(new - old),
            "way": "gained" if new > old else "lost",
        }
        for name, old, new in zip(ids, before, after, strict=True)
        if old != new
    ]
    return sorted(rows, key=lambda row: (row["change"] > 0, -abs(row["change"])))
