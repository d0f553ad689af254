"""Better as a recipe: a gain that the next training run would show as well.

A checkpoint that is better on these items is one thing; that a recipe makes better
checkpoints is another, and training again with another random seed moves a small
model by points. With one run nobody can tell how far: taken as a recipe's, a
comparison of single runs gives 9 % false alarms at 2 points of run-to-run standard
deviation and 18 % at 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np

from .comparison import LEVEL, Gain

ONE_RUN = "one training run says nothing about the next"


@dataclass(frozen=True)
class RecipeGain(Gain):
    """A gain over items and training runs, as a claim about the recipe.

    Args:
        runs: training runs, each with a random seed of its own.
        run_sd: how far runs lie apart, as one standard deviation of the gain, with
            what chance in single answers adds; NaN where nothing says so.
        df: degrees of freedom of the interval.
        error: standard error of the gain; NaN as `run_sd`.
    """

    runs: int = 1
    run_sd: float = nan
    df: float = nan
    error: float = nan

    @property
    def known(self) -> bool:
        """Whether anything says how far runs lie apart."""
        return not np.isnan(self.run_sd)

    @property
    def p_value(self) -> float:
        """Two-sided, of no gain, by Student's t; 1 where runs' spread is not known."""
        from scipy.stats import t

        if np.isnan(self.error):
            return 1.0
        return float(2 * t.sf(abs(self.delta) / self.error, self.df))

    def as_dict(self) -> dict[str, Any]:
        """For a manifest or a table; what is not known is `None`."""
        told = super().as_dict() | {"runs": self.runs}
        return {key: None if value != value else value for key, value in told.items()}


def recipe_gain(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    *,
    run_sd: float | None = None,
    level: float = LEVEL,
) -> RecipeGain:
    """Paired difference `after - before` as a claim about the next training run.

    The variance of the mean is that over items plus that over runs, each estimated
    on its own, the interval Student's with Satterthwaite's degrees of freedom
    (F. E. Satterthwaite 1946, Biometrics Bulletin 2:110). What single answers add by
    chance stands in both parts: the interval is a little wider than it has to be.

    Args:
        before: one accuracy per item for each run; one run where it is not trained.
        after: the same items, in the same order.
        run_sd: standard deviation of a gain from run to run, known from elsewhere;
            for a single run the only way to an interval.
        level: 1 - level is the interval's coverage.

    Returns:
        Its interval is (-1, 1) for a single run without `run_sd`.
    """
    return mean_recipe_gain([(before, after)], run_sd=run_sd, level=level)


def mean_recipe_gain(
    pairs: Sequence[tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]]],
    *,
    run_sd: float | None = None,
    level: float = LEVEL,
) -> RecipeGain:
    """The mean over several domains, each with items and runs of its own.

    Args:
        pairs: `before` and `after` of each domain, as in `recipe_gain`.
        run_sd: as there, of one domain's gain.
        level: as there.

    Raises:
        ValueError: no domain is given, or the items are not the same.
    """
    from scipy.stats import t

    if not pairs:
        raise ValueError("a mean needs a domain")
    parts = [_Parts.of(before, after, run_sd) for before, after in pairs]
    many = len(parts)
    delta = sum(part.mean for part in parts) / many
    n, runs = sum(part.n for part in parts), min(part.runs for part in parts)
    terms = [term for part in parts for term in part.terms]
    variance = sum(value for value, _ in terms) / many**2
    if np.isnan(variance):
        return RecipeGain(delta, -1.0, 1.0, n, runs)
    spread = sqrt(sum(part.run_sd**2 for part in parts) / many)
    if variance == 0:  # equal everywhere: nothing to estimate a spread from
        return RecipeGain(delta, -1.0, 1.0, n, runs, spread)
    weight = sum(value**2 / df for value, df in terms if value) / many**4
    df = variance**2 / weight if weight else np.inf
    error = sqrt(variance)
    half = float(t.ppf(1 - level / 2, df)) * error
    low, high = max(delta - half, -1.0), min(delta + half, 1.0)
    return RecipeGain(delta, low, high, n, runs, spread, float(df), error)


@dataclass(frozen=True)
class _Parts:
    """One domain's mean and the two parts of its variance, each with its df."""

    mean: float
    n: int
    runs: int
    run_sd: float
    terms: tuple[tuple[float, float], tuple[float, float]]

    @classmethod
    def of(
        cls,
        before: Sequence[Sequence[float]],
        after: Sequence[Sequence[float]],
        run_sd: float | None,
    ) -> _Parts:
        first, second = np.asarray(before, float), np.asarray(after, float)
        if first.shape[1] != second.shape[1]:
            raise ValueError(
                f"not paired: {first.shape[1]} and {second.shape[1]} items"
            )
        runs = len(second) if len(first) == 1 else min(len(first), len(second))
        if 1 < len(first) != len(second):  # not paired by run: against the mean
            first = first.mean(axis=0, keepdims=True)
        difference = second - first
        n = difference.shape[1]
        items = difference.mean(axis=0)
        over_items = float(items.var(ddof=1)) / n if n > 1 else nan
        if run_sd is not None:
            spread, df = run_sd, np.inf
        elif len(difference) > 1:
            spread = float(difference.mean(axis=1).std(ddof=1))
            df = len(difference) - 1
        else:
            spread, df = nan, nan
        terms = ((over_items, n - 1), (spread**2 / runs, df))
        return cls(float(difference.mean()), n, runs, spread, terms)
