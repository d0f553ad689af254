"""Do adapters that are only added up foretell what a mix of their data would give?

Two adapters, each trained on one domain, are added with weights w and 1 - w and asked;
a mix that gives the first domain the share w is trained and asked the same items. If
the order of the sums is that of the mixes, a whole curve of mixes costs no training.
The idea, with probes and interpolation between them, is that of OP-Mix
(arXiv:2605.15220); whether it holds for a small model is what this measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from phi_kit.core.params import Strict
from phi_kit.core.rng import rng
from phi_kit.stats.intervals import RESAMPLES, accuracy

if TYPE_CHECKING:
    import pandas as pd

LEAST_TRAINED = 3  # mixes: the order of two says next to nothing
MEAN = "mean of both"
WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

# One accuracy per item, by the share or weight of the first domain and by domain.
Curve = Mapping[float, Mapping[str, Sequence[float]]]


class MixTrials(Strict):
    """Which sums of two adapters are asked, and which mixes are trained to check them.

    Args:
        trained: shares of the first domain in mixes that are trained, three or more;
            none: nothing is foretold.
        weights: of the first adapter in sums that nobody trains.
    """

    trained: list[float] = Field([])
    weights: list[float] = Field(list(WEIGHTS), min_length=2)

    @field_validator("trained", "weights")
    @classmethod
    def _shares(cls, given: list[float]) -> list[float]:
        if any(not 0 < one < 1 for one in given):
            raise ValueError("shares lie above 0 and below 1")
        if len(set(given)) < len(given):
            raise ValueError("names one twice")
        return sorted(given)

    @model_validator(mode="after")
    def _within(self) -> Self:
        if 0 < len(self.trained) < LEAST_TRAINED:
            raise ValueError(f"trained: an order takes {LEAST_TRAINED} mixes or more")
        low, high = self.weights[0], self.weights[-1]
        if any(not low <= share <= high for share in self.trained):
            raise ValueError(f"trained: shares lie within the weights, {low} to {high}")
        return self

    def __bool__(self) -> bool:
        """Whether anything is foretold."""
        return bool(self.trained)


@dataclass(frozen=True)
class MixForecast:
    """How well sums of adapters foretold trained mixes, on one domain or the mean.

    Attributes:
        domain: what was measured; `MEAN` is of both domains.
        rank_correlation: Spearman's, between foretold and measured accuracies.
        low: lower end of its 95 % interval over items; the mixes are as they are.
        high: its upper end.
        mixes: how many were trained.
        error: mean distance of a foretold accuracy from the measured one.
        foretold_best: the weight at which the sums are best.
        best: the share whose trained mix is best.
    """

    domain: str
    rank_correlation: float
    low: float
    high: float
    mixes: int
    error: float
    foretold_best: float
    best: float

    def as_dict(self) -> dict[str, Any]:
        """For a manifest or a table."""
        return dict(vars(self))


def forecast_mixes(sums: Curve, mixes: Curve, *, rng_seed: int) -> list[MixForecast]:
    """Rank correlation of foretold and measured mixes, per domain and for the mean.

    A mix's share may lie between two weights: its forecast is then the straight line
    between them. Items are resampled, the same ones for sums and mixes. Where all
    mixes come out alike there is no order, and the correlation counts as 0.

    Args:
        sums: of adapters that were added up.
        mixes: that were trained.
        rng_seed: the resampling is repeatable.

    Raises:
        ValueError: fewer than three mixes, or one beyond the weights.
    """
    shares, domains = sorted(mixes), list(next(iter(mixes.values()), {}))
    if len(shares) < LEAST_TRAINED:
        raise ValueError(f"an order takes {LEAST_TRAINED} mixes, not {len(shares)}")
    foretold = {name: _foretold(sums, name, shares) for name in domains}
    measured = {
        name: np.array([mixes[share][name] for share in shares], float)
        for name in domains
    }
    drawn = {name: _drawn(name, foretold, measured, rng_seed) for name in domains}
    curves = {
        name: {weight: float(np.mean(one[name])) for weight, one in sums.items()}
        for name in domains
    }
    # Of whole tables, as of each domain's: what is averaged is drawn together.
    drawn[MEAN] = tuple(
        np.mean([drawn[name][side] for name in domains], axis=0) for side in (0, 1)
    )
    curves[MEAN] = {
        weight: float(np.mean([curves[name][weight] for name in domains]))
        for weight in sums
    }
    found = []
    for name in [*domains, MEAN]:
        told, seen = drawn[name]
        ranked = rank_correlations(told, seen)
        low, high = np.quantile(ranked[1:], [0.025, 0.975])
        found.append(
            MixForecast(
                name,
                float(ranked[0]),
                float(low),
                float(high),
                len(shares),
                float(np.abs(told[0] - seen[0]).mean()),
                max(curves[name], key=curves[name].__getitem__),
                shares[int(seen[0].argmax())],
            )
        )
    return found


def mix_table(curves: Mapping[str, Curve], *, rng_seed: int) -> pd.DataFrame:
    """One row per kind, share and domain: the accuracy with its interval.

    Args:
        curves: by `sum` and `trained`.
        rng_seed: of the intervals.
    """
    import pandas as pd

    return pd.DataFrame(
        {"kind": kind, "share": share, "domain": domain}
        | accuracy(items, rng_seed=rng_seed).as_dict()
        for kind, curve in curves.items()
        for share, of in curve.items()
        for domain, items in of.items()
    )


def rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each row with its fellow; 0 where one is flat.

    Args:
        first: of shape (rows, values).
        second: of the same shape.
    """
    from scipy.stats import rankdata

    centred = [
        ranks - ranks.mean(axis=1, keepdims=True)
        for ranks in (rankdata(side, axis=1) for side in (first, second))
    ]
    joint = (centred[0] * centred[1]).sum(axis=1)
    size = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    return np.divide(joint, size, out=np.zeros_like(joint), where=size > 0)


def _foretold(sums: Curve, domain: str, shares: Sequence[float]) -> np.ndarray:
    """One accuracy per share and item, on the line between the nearest weights."""
    weights = sorted(sums)
    values = {weight: np.asarray(sums[weight][domain], float) for weight in weights}
    rows = []
    for share in shares:
        pairs = [pair for pair in pairwise(weights) if pair[0] <= share <= pair[1]]
        if not pairs:
            raise ValueError(f"the share {share} lies beyond the weights")
        low, high = pairs[0]
        part = (share - low) / (high - low)
        rows.append((1 - part) * values[low] + part * values[high])
    return np.array(rows)


def _drawn(
    domain: str,
    foretold: Mapping[str, np.ndarray],
    measured: Mapping[str, np.ndarray],
    rng_seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean accuracies, foretold and measured: of all items, then of resamples of them.

    Both have the shape (1 + resamples, shares).
    """
    many = measured[domain].shape[1]
    draw = rng(rng_seed, "mix forecast", domain)
    often = draw.multinomial(many, [1 / many] * many, size=RESAMPLES)
    weights = np.concatenate([np.ones((1, many)), often]) / many
    return weights @ foretold[domain].T, weights @ measured[domain].T
