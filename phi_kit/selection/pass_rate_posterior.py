"""How often a model solves a seed: a Beta posterior, its interval, its tier.

A pass rate from few samples is rough, so decisions are taken on its posterior.
There are two priors. `JEFFREYS` knows nothing of the other seeds; its interval
covers well from one sample on (Brown, Cai and DasGupta 2001, Statistical Science
16:101), so it is the one reported. `pooled` is fitted to the seeds at hand
(empirical Bayes: Casella 1985, The American Statistician 39:83): where most seeds
are never solved, one right of four is mostly luck, and only a prior that has seen
the pool knows it. Tiers and risks are taken under it.

A sample that was truncated, or that no verifier can judge, is *censored*: neither
right nor wrong. Intervals span what it could have been. What share of the truncated
ones turn right is measured (`Counts.truncated_correct_rate`) and imputed in every
estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prior:
    """A Beta distribution of pass rates: `a` and `b` count as right and wrong.

    One for all seeds, or arrays of shape (seeds,) with one for each.
    """

    a: np.ndarray | float = 0.5
    b: np.ndarray | float = 0.5

    def mean(self, counts: Counts) -> np.ndarray:
        """The posterior means of pass rates; right on average, also of chosen seeds."""
        right, wrong = counts.filled
        return (self.a + right) / (self.a + self.b + right + wrong)


JEFFREYS = Prior()
# Limits of a fitted prior (kit default): it may weigh about as much as a
# screen, and `a` above 1 would call a seed solvable that no sample ever solved.
_LEAST, _MOST_A, _MOST_B = 0.02, 1.0, 4.0
FAMILY = 20  # seeds of a family that get a prior of their own (kit default)


@dataclass(frozen=True)
class Counts:
    """Samples of some seeds, arrays of shape (seeds,).

    Args:
        right: judged right, cut off or not.
        wrong: finished and judged wrong.
        truncated: not right, and cut off at the token limit.
        unknown: finished, and nobody can judge them.
        truncated_correct_rate: share of a seed's truncated samples that would turn
            right if they were finished; NaN leaves them out of every estimate.
    """

    right: np.ndarray
    wrong: np.ndarray
    truncated: np.ndarray
    unknown: np.ndarray
    truncated_correct_rate: np.ndarray | float = float("nan")

    @classmethod
    def of(cls, right: Sequence[int], wrong: Sequence[int]) -> Counts:
        """Of samples that were all judged."""
        none = np.zeros(len(right), int)
        return cls(np.asarray(right, int), np.asarray(wrong, int), none, none)

    @property
    def n(self) -> np.ndarray:
        """Samples drawn."""
        return self.right + self.wrong + self.truncated + self.unknown

    @property
    def filled(self) -> tuple[np.ndarray, np.ndarray]:
        """How many samples count as right and as wrong, cut-off ones filled in.

        Of a seed's cut-off samples as many count as right as are likely to turn
        right, in whole samples: a fraction of one, given to every seed, would tell
        the posterior that none of them is hopeless.
        """
        known = ~np.isnan(self.truncated_correct_rate)
        turned = np.rint(
            np.nan_to_num(self.truncated_correct_rate) * self.truncated
        ).astype(int)
        stayed = np.where(known, self.truncated - turned, 0)
        return self.right + turned, self.wrong + stayed

    @property
    def rate(self) -> np.ndarray:
        """The estimated pass rate, cut-off samples in fractions; NaN without any."""
        known = ~np.isnan(self.truncated_correct_rate)
        told = self.right + self.wrong + known * self.truncated
        right = self.right + np.nan_to_num(self.truncated_correct_rate) * self.truncated
        return np.where(told > 0, right / np.maximum(told, 1), np.nan)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The share of right if all censored samples were wrong, and if right."""
        n = np.maximum(self.n, 1)
        return self.right / n, (self.n - self.wrong) / n


def credible_interval(
    counts: Counts, *, prior: Prior = JEFFREYS
) -> tuple[np.ndarray, ...]:
    """The 95 % credible interval of each pass rate, censored samples spanned.

    Its low end takes them all as wrong, its high end all as right. With none
    right the low end is 0, with none wrong the high end is 1 (Brown et al.,
    section 4.1.2); without a sample the interval is (0, 1).
    """
    from scipy.stats import beta

    low = beta.ppf(0.025, prior.a + counts.right, prior.b + counts.n - counts.right)
    high = beta.ppf(0.975, prior.a + counts.n - counts.wrong, prior.b + counts.wrong)
    return np.where(counts.right == 0, 0.0, low), np.where(counts.wrong == 0, 1.0, high)


def fit_prior(counts: Counts, families: Sequence[str] | None = None) -> Prior:
    """The Beta prior under which these counts are likeliest (beta-binomial).

    Args:
        counts: the samples of all seeds.
        families: of the seeds; each with seeds enough gets a prior of its own, for
            families differ in how often they are solved. The others share the
            prior of all seeds.

    Returns:
        One prior for all; with families arrays of shape (seeds,).
    """
    right, wrong = counts.filled
    everyone = _fit_beta(right, wrong)
    if families is None:
        return everyone
    a, b = np.full(len(right), everyone.a), np.full(len(right), everyone.b)
    names = np.asarray(families)
    for name in np.unique(names):
        mine = names == name
        if mine.sum() >= FAMILY:
            own = _fit_beta(right[mine], wrong[mine])
            a[mine], b[mine] = own.a, own.b
    return Prior(a, b)


def _fit_beta(right: np.ndarray, wrong: np.ndarray) -> Prior:
    """With fewer than two seeds that count there is nothing to fit: Jeffreys."""
    from scipy.optimize import minimize
    from scipy.special import betaln

    told = right + wrong > 0
    if told.sum() < 2:
        return JEFFREYS
    right, wrong = right[told], wrong[told]

    def surprise(logs: np.ndarray) -> float:
        a, b = np.exp(logs)
        return -float(np.sum(betaln(a + right, b + wrong) - betaln(a, b)))

    limits = [(np.log(_LEAST), np.log(most)) for most in (_MOST_A, _MOST_B)]
    found = minimize(surprise, np.log([0.5, 0.5]), bounds=limits, method="L-BFGS-B")
    a, b = np.exp(found.x)
    return Prior(float(a), float(b))
