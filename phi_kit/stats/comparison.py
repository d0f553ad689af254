"""Comparing arms: paired gains, verdicts, corrections, and whether more rows help.

One comparison in twenty of things that do not differ looks like a difference at
95 %. With several arms against one base that adds up; Holm's correction keeps the
chance of a single false claim among all of them at 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from phi_kit.core.rng import rng

from .intervals import (
    RESAMPLES,
    Accuracy,
    accuracy,
    bootstrap_interval,
    wilson_interval,
)

LEVEL = 0.05
# A gain over base that one constant answer per family would give as well.
NOT_CONSTANT = "better than base, not than one constant answer"

# The bootstrap's interval is too narrow for a handful of items: below this many
# there is no verdict (kit default).
MIN_ITEMS = 10


@dataclass(frozen=True)
class Gain:
    """A paired difference of two accuracies with its 95 % interval."""

    delta: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> Literal["better", "worse", "cannot tell"]:
        """Better or worse only where the whole interval lies on one side of 0."""
        if self.n < MIN_ITEMS:
            return "cannot tell"
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "cannot tell"

    def as_dict(self) -> dict[str, float | str]:
        """For a manifest or a table."""
        return {**asdict(self), "verdict": self.verdict}


def paired_gain(
    before: Sequence[float],
    after: Sequence[float],
    *,
    rng_seed: int,
    clusters: Sequence[str] | None = None,
) -> Gain:
    """Paired difference `after - before` over the same items, in points of 1.

    Args:
        before: one accuracy per item.
        after: the same items, in the same order.
        rng_seed: the resampling is repeatable.
        clusters: the group of each item, where items belong together.

    Raises:
        ValueError: the two do not hold the same number of items.
    """
    if len(before) != len(after):
        raise ValueError(f"not paired: {len(before)} and {len(after)} items")
    difference = np.asarray(after, float) - np.asarray(before, float)
    if len(difference) == 0:
        return Gain(float("nan"), -1.0, 1.0, 0)
    low, high = bootstrap_interval(difference, rng_seed, clusters=clusters)
    mean = float(difference.mean())
    return Gain(mean, max(low, -1.0), min(high, 1.0), len(difference))


def accuracy_over_seeds(runs: Sequence[Sequence[float]], *, rng_seed: int) -> Accuracy:
    """Mean accuracy of several training runs on the same items.

    Args:
        runs: one accuracy per item for each training run.
        rng_seed: the resampling is repeatable.

    Returns:
        With an interval over items and over runs, both resampled. Two or three
        runs say little of how runs differ: the interval is then too narrow.
    """
    if len(runs) == 1:
        return accuracy(runs[0], rng_seed=rng_seed)
    values = np.asarray(runs, float)
    low, high = _crossed_bootstrap(values, rng_seed)
    mean = float(values.mean())
    return Accuracy(mean, max(low, 0.0), min(high, 1.0), values.shape[1])


def gain_over_seeds(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    *,
    rng_seed: int,
    clusters: Sequence[str] | None = None,
) -> Gain:
    """Paired difference `after - before` over items and training runs.

    Args:
        before: one accuracy per item for each run; a single run (base is not
            trained) stands against every run of the other.
        after: the same items, in the same order.
        rng_seed: the resampling is repeatable.
        clusters: the group of each item, where items belong together.
    """
    first, second = np.asarray(before, float), np.asarray(after, float)
    if len(first) == len(second) == 1:
        return paired_gain(first[0], second[0], rng_seed=rng_seed, clusters=clusters)
    if len(first) != len(second):  # not paired by run: against the mean
        first = first.mean(axis=0, keepdims=True)
    difference = second - first
    low, high = _crossed_bootstrap(difference, rng_seed, clusters)
    mean = float(difference.mean())
    return Gain(mean, max(low, -1.0), min(high, 1.0), difference.shape[1])


def _crossed_bootstrap(
    values: np.ndarray, rng_seed: int, clusters: Sequence[str] | None = None
) -> tuple[float, float]:
    """Bootstrap interval of the mean of `values` (runs, items), both resampled."""
    draw, (runs, items) = rng(rng_seed, "crossed bootstrap"), values.shape
    groups = range(items) if clusters is None else clusters
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(places)
    many = len(sizes)
    sums = np.array([np.bincount(places, weights=run) for run in values])
    of_items = draw.multinomial(many, [1 / many] * many, size=RESAMPLES)
    of_runs = draw.multinomial(runs, [1 / runs] * runs, size=RESAMPLES) / runs
    of_each = (of_items @ sums.T) / (of_items @ sizes)[:, None]
    means = (of_each * of_runs).sum(axis=1)
    if np.ptp(means) == 0:  # equal everywhere: what `gain` says of one run
        one = paired_gain(np.zeros(items), values[0], rng_seed=rng_seed)
        return one.low, one.high
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def paired_p_value(
    before: Sequence[float], after: Sequence[float], *, rng_seed: int
) -> float:
    """Two-sided p of a paired difference: signs flipped at random, item by item.

    Source: the paired permutation test (R. A. Fisher, The Design of Experiments,
    1935); no item's sign carries information if the two do not differ.
    """
    from scipy.stats import permutation_test

    difference = np.asarray(after, float) - np.asarray(before, float)
    if not difference.any():
        return 1.0
    found = permutation_test(
        (difference,),
        np.mean,
        permutation_type="samples",
        n_resamples=RESAMPLES - 1,
        rng=rng(rng_seed, "sign flips"),
    )
    return float(found.pvalue)


def unpaired_gain(
    before: Sequence[float], after: Sequence[float], *, rng_seed: int
) -> Gain:
    """Difference `after - before` of accuracies on other items, in points of 1.

    Each side's items are resampled on their own; `n` is the smaller side's.
    """
    first, second = np.asarray(before, float), np.asarray(after, float)
    ends, room = [], 0.0
    for name, values in (("before", first), ("after", second)):
        draw, n = rng(rng_seed, "unpaired bootstrap", name), len(values)
        ends.append(draw.multinomial(n, [1 / n] * n, size=RESAMPLES) @ values / n)
        if np.ptp(values) == 0:  # resampling equal values would claim certainty
            room += wilson_interval(0, n)[1]
    low, high = np.quantile(ends[1] - ends[0], [0.025, 0.975])
    delta, n = float(second.mean() - first.mean()), min(len(first), len(second))
    return Gain(delta, max(float(low) - room, -1.0), min(float(high) + room, 1.0), n)


def unpaired_p_value(
    before: Sequence[float], after: Sequence[float], *, rng_seed: int
) -> float:
    """Two-sided p of an unpaired difference: items change sides at random."""
    from scipy.stats import permutation_test

    found = permutation_test(
        (np.asarray(after, float), np.asarray(before, float)),
        lambda one, other, axis: one.mean(axis=axis) - other.mean(axis=axis),
        vectorized=True,
        n_resamples=RESAMPLES - 1,
        rng=rng(rng_seed, "sides"),
    )
    return float(found.pvalue)


def holm_adjust(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of p-values, in their order.

    Source: S. Holm (1979), Scandinavian Journal of Statistics 6:65.
    """
    from statsmodels.stats.multitest import multipletests

    return multipletests(ps, method="holm")[1].tolist() if len(ps) else []


def corrected_verdict(found: Gain, adjusted: float) -> str:
    """The gain's own verdict, unless the correction takes it back."""
    return found.verdict if adjusted < LEVEL else "cannot tell"


def beyond_guessing(said: str, over_guess: Gain) -> str:
    """A verdict on a gain over base, held against what guessing gives.

    Args:
        said: the verdict against base.
        over_guess: the same accuracies paired with the guesser's.

    Returns:
        `better` only if both intervals lie above zero; `NOT_CONSTANT` where only
        base was beaten; any other verdict as it is.
    """
    if said == "better" and over_guess.verdict != "better":
        return NOT_CONSTANT
    return said


def dose_tapering(doses: Mapping[float, Sequence[float]], *, rng_seed: int) -> Gain:
    """How much less the last increase of the dose gave than the one before.

    Args:
        doses: per share of the rows (at least three) one accuracy per item.
        rng_seed: the resampling is repeatable.

    Returns:
        The change of the gain per doubling, in points of 1, paired by item: below
        zero the curve tapers.
    """
    shares = sorted(doses)[-3:]
    if len(shares) < 3:
        raise ValueError("a curve needs three doses")
    early, late = (_per_doubling(doses, less, more) for less, more in pairwise(shares))
    return paired_gain(early, late, rng_seed=rng_seed)


def last_dose_gain(doses: Mapping[float, Sequence[float]], *, rng_seed: int) -> Gain:
    """What the last increase of the dose gave per doubling, paired by item.

    Args:
        doses: per share of the rows (at least two) one accuracy per item.
        rng_seed: the resampling is repeatable.
    """
    less, more = sorted(doses)[-2:]
    gained = _per_doubling(doses, less, more)
    return paired_gain(np.zeros(len(gained)), gained, rng_seed=rng_seed)


def _per_doubling(
    doses: Mapping[float, Sequence[float]], less: float, more: float
) -> np.ndarray:
    gained = np.asarray(doses[more], float) - np.asarray(doses[less], float)
    return gained / np.log2(more / less)


def curve_verdict(found: Gain) -> str:
    """What `tapering` found, in words."""
    words = {"worse": "tapers", "better": "steepens"}
    return words.get(found.verdict, "cannot tell")
