"""Intervals of many things that were measured on the same items.

The items are resampled once, and all that was measured on them goes by the same
resamples: a thousand variants take as long as one, and what differs between two of
them is not the luck of the draw.
"""

from __future__ import annotations

import numpy as np

from phi_kit.core.rng import rng

from .comparison import Gain
from .intervals import wilson_interval

# Fewer than for one study's verdicts: an end moves by a tenth of a standard error from
# one seed to another (kit default).
RESAMPLES = 2_000


class SharedItems:
    """Resamples of one set of items.

    Args:
        n: how many items there are, at least one.
        rng_seed: the resampling is repeatable.
    """

    def __init__(self, n: int, *, rng_seed: int):
        self.n, self.rng_seed = n, rng_seed
        draw = rng(rng_seed, "shared items", n)
        self._weights = draw.multinomial(n, [1 / n] * n, size=RESAMPLES) / n

    def intervals(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The 95 % percentile interval of each row's mean.

        Args:
            rows: (things, items).

        Returns:
            The lower and the upper ends. Rows whose values are all equal get the room
            that Wilson's interval of 0 of n leaves, as in `bootstrap_interval`.
        """
        low, high = np.quantile(rows @ self._weights.T, [0.025, 0.975], axis=1)
        flat = np.ptp(rows, axis=1) == 0
        room = wilson_interval(0, self.n)[1]
        low[flat], high[flat] = rows[flat, 0] - room, rows[flat, 0] + room
        return low, high

    def paired_gain(self, before: np.ndarray, after: np.ndarray) -> Gain:
        """Mean difference of pairs of runs, over items and pairs.

        Args:
            before: (pairs, items).
            after: the same items and pairs.
        """
        return self._gain(after - before, rng(self.rng_seed, "pairs"))

    def unpaired_gain(self, before: np.ndarray, after: np.ndarray) -> Gain:
        """Difference of the means of two groups of runs on the same items.

        Args:
            before: (runs, items).
            after: (other runs, the same items).
        """
        draw = rng(self.rng_seed, "groups")
        means = self._means(after, draw) - self._means(before, draw)
        delta = float(after.mean() - before.mean())
        return self._with_ends(delta, means)

    def _gain(self, difference: np.ndarray, draw: np.random.Generator) -> Gain:
        if len(difference) == 1 or np.ptp(difference) == 0:
            low, high = self.intervals(difference.mean(axis=0, keepdims=True))
            ends = max(float(low[0]), -1.0), min(float(high[0]), 1.0)
            return Gain(float(difference.mean()), *ends, self.n)
        return self._with_ends(float(difference.mean()), self._means(difference, draw))

    def _means(self, rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Means over resampled items and resampled runs."""
        runs = len(rows)
        of_runs = draw.multinomial(runs, [1 / runs] * runs, size=RESAMPLES) / runs
        return ((self._weights @ rows.T) * of_runs).sum(axis=1)

    def _with_ends(self, delta: float, means: np.ndarray) -> Gain:
        low, high = np.quantile(means, [0.025, 0.975])
        return Gain(delta, max(float(low), -1.0), min(float(high), 1.0), self.n)
