"""Adaptive sampling: few samples first, more only where a tier is in doubt.

A seed's doubt is the chance that all `most` samples would give it another tier
than the samples so far. Whether a further look is worth its samples is a problem
of optimal stopping, solved by backward induction (DeGroot 1970, Optimal
Statistical Decisions, chapter 12): a sample has a price, and a seed is drawn on
where the doubt it is expected to lose exceeds it. The price is set so that the
seeds end with a mean doubt of `risk`, or so that the budget is met.

The same loop runs on a model and in a simulation: it sees only counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .pass_rate_posterior import Counts, Prior, fit_prior
from .tiers import assign_tiers

# Wanted totals per seed in, the counts over each seed's first so many samples out.
DrawSamples = Callable[[np.ndarray], Counts]

_MAX_PRICE = 0.5  # doubt per sample: nothing is drawn at this price
_HALVINGS = 30


@dataclass(frozen=True)
class SamplingPlan:
    """How samples are spent (kit defaults).

    Args:
        screen: samples that every seed gets.
        most: samples that no seed gets more than.
        risk: mean doubt over the seeds at which sampling ends.
        budget: samples in all; what the screen takes is never withheld.
        band: the edges between the tiers.
    """

    screen: int
    most: int
    risk: float
    budget: int
    band: tuple[float, float]

    @property
    def sample_schedule(self) -> list[int]:
        """The totals a seed can have: each half as many again as the one before.

        Doubling would need fewer rounds and, in simulation, a tenth more samples.
        """
        found = [self.screen]
        while found[-1] < self.most:
            found.append(min(found[-1] + max(found[-1] // 2, 1), self.most))
        return found


@dataclass(frozen=True)
class StoppingPolicy:
    """What is best at one price per sample; tables by rung and count of right.

    Args:
        go: whether to draw on to the next rung.
        left: the doubt expected at the end.
        taken: the samples expected until then.
    """

    go: dict[int, np.ndarray]
    left: dict[int, np.ndarray]
    taken: dict[int, np.ndarray]


@dataclass(frozen=True)
class AdaptiveResult:
    """What adaptive sampling found, arrays of shape (seeds,).

    `tier_index` and `risk` are `assign_tiers`'s under `prior`; `doubt` is what
    further samples could still change; `spent` lists each round's samples.
    """

    counts: Counts
    prior: Prior
    tier_index: np.ndarray
    risk: np.ndarray
    doubt: np.ndarray
    spent: list[int]


def sample_adaptively(
    draw: DrawSamples,
    seeds: int,
    plan: SamplingPlan,
    *,
    families: Sequence[str] | None = None,
) -> AdaptiveResult:
    """Screen every seed, then draw in rounds until no further sample pays.

    Args:
        draw: asks the model, or a simulation.
        seeds: how many there are.
        plan: how samples are spent.
        families: of the seeds, for `fit_prior`.
    """
    totals = np.full(seeds, plan.screen)
    spent: list[int] = []
    while True:
        counts = draw(totals)
        spent.append(int(totals.sum()) - sum(spent))
        prior = fit_prior(counts, families)
        wanted, doubt = SamplingRound(plan, prior, totals, counts).wanted()
        if (wanted == totals).all():
            tier_index, risk = assign_tiers(counts, plan.band, prior=prior)
            return AdaptiveResult(counts, prior, tier_index, risk, doubt, spent)
        totals = wanted


class Lookahead:
    """What further samples would tell of a seed, for every count it can have.

    Tables are by rung: `doubt[n][r]` for r right of n, and `ahead[n][r, k]` for
    the chance that the samples up to the next rung hold k right ones.
    """

    def __init__(self, plan: SamplingPlan, prior: Prior):
        from scipy.stats import betabinom

        self.plan, self.steps = plan, list(pairwise(plan.sample_schedule))[::-1]
        right = np.arange(plan.most + 1)
        final, _ = assign_tiers(
            Counts.of(right, plan.most - right), plan.band, prior=prior
        )
        tiers = {plan.most: np.eye(3)[final]}  # chance of each tier at the end
        self.ahead: dict[int, np.ndarray] = {}
        for n, after in self.steps:
            r, k = np.arange(n + 1)[:, None], np.arange(after - n + 1)
            self.ahead[n] = betabinom.pmf(k, after - n, prior.a + r, prior.b + n - r)
            tiers[n] = np.stack(
                [self._expect(n, tiers[after][:, tier]) for tier in range(3)], axis=1
            )
        self.doubt = {n: 1 - table.max(axis=1) for n, table in tiers.items()}

    def _expect(self, n: int, after: np.ndarray) -> np.ndarray:
        """Mean of the next rung's table, for each r of this one."""
        width = self.ahead[n].shape[1]
        windows = np.lib.stride_tricks.sliding_window_view(after, width)
        return (self.ahead[n] * windows).sum(axis=1)

    def at(self, price: float) -> StoppingPolicy:
        """The best policy at a price per sample, by backward induction."""
        most = self.plan.most
        value, taken = {most: self.doubt[most]}, {most: np.zeros(most + 1)}
        go, left = {most: taken[most] > 0}, dict(value)
        for n, after in self.steps:
            onward = price * (after - n) + self._expect(n, value[after])
            go[n] = onward < self.doubt[n]
            value[n] = np.where(go[n], onward, self.doubt[n])
            left[n] = np.where(go[n], self._expect(n, left[after]), self.doubt[n])
            further = after - n + self._expect(n, taken[after])
            taken[n] = np.where(go[n], further, 0.0)
        return StoppingPolicy(go, left, taken)


class SamplingRound:
    """One decision over all seeds: which of them are drawn on."""

    def __init__(
        self, plan: SamplingPlan, prior: Prior, totals: np.ndarray, counts: Counts
    ):
        self.plan, self.totals = plan, totals
        a, b = (np.broadcast_to(part, totals.shape) for part in (prior.a, prior.b))
        # Seeds of one prior share their tables.
        pairs, kind = np.unique(np.stack([a, b], axis=1), axis=0, return_inverse=True)
        self.outlooks = [Lookahead(plan, Prior(*pair)) for pair in pairs.tolist()]
        rates = np.where(np.isnan(counts.rate), a / (a + b), counts.rate)
        right = np.rint(rates * totals).astype(int)
        self.states = np.stack([kind, totals, right], axis=1)

    def wanted(self) -> tuple[np.ndarray, np.ndarray]:
        """The next totals, and each seed's doubt now; the most doubtful come first."""
        room = self.plan.budget - int(self.totals.sum())
        dear, cheap, spare = self._policies(room)
        states = self.states.tolist()
        doubt = np.array([self.outlooks[i].doubt[n][r] for i, n, r in states])
        wanted, following = (
            self.totals.copy(),
            dict(pairwise(self.plan.sample_schedule)),
        )
        for seed in np.argsort(-doubt, kind="stable"):
            i, n, r = states[seed]
            go = dear[i].go[n][r]
            if not go and cheap[i].go[n][r] and cheap[i].taken[n][r] <= spare:
                go, spare = True, spare - cheap[i].taken[n][r]
            if go and following[n] - n <= room:
                wanted[seed] = following[n]
                room -= following[n] - n
        return wanted, doubt

    def _policies(
        self, room: int
    ) -> tuple[list[StoppingPolicy], list[StoppingPolicy], float]:
        """The policies to follow, the next cheaper ones, and what is left for those.

        Many seeds share a count, so a little less of a price can cost many more
        samples: some of them may follow the cheaper policy until the room is used.
        """
        kinds, times = np.unique(self.states, axis=0, return_counts=True)

        def at(price: float) -> list[StoppingPolicy]:
            return [outlook.at(price) for outlook in self.outlooks]

        def total(policies: list[StoppingPolicy], table: str) -> float:
            found = [getattr(policies[i], table)[n][r] for i, n, r in kinds.tolist()]
            return float(times @ np.array(found))

        def enough(price: float) -> bool:
            return total(at(price), "left") <= self.plan.risk * len(self.states)

        def too_much(price: float) -> bool:
            return total(at(price), "taken") > room

        worth = _price_threshold(enough)[0]
        cheap, dear = (at(max(price, worth)) for price in _price_threshold(too_much))
        return dear, cheap, room - total(dear, "taken")


def _price_threshold(holds: Callable[[float], bool]) -> tuple[float, float]:
    """The price at which what holds at low prices ceases to, from both sides."""
    low, high = 0.0, _MAX_PRICE
    if not holds(low):
        return low, low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high
