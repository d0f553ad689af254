"""Racing: who is clearly behind the leader need not be measured to the end.

How often everybody is compared is fixed beforehand. At each look whoever is still in
is held against the one that leads then, item by item, and dropped where the interval
lies below zero and the p-value is small after Holm's correction for all pairs at all
looks. So in at most one race of twenty anybody is dropped who is as good as the leader,
whoever is truly best among them, however many take part.

This is the idea of Hoeffding races (O. Maron, A. Moore, NIPS 1993) and of F-races
(M. Birattari et al., GECCO 2002), with paired intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from .comparison import LEVEL, MIN_ITEMS, Gain, holm_adjust

ItemAccuracies = Mapping[str, float]  # of one training run, by item
# Points of 1 that a recipe's accuracy moves from one training run to the next, beside
# what its items say (kit default); one run alone cannot tell it.
RUN_SPREAD = 0.02


class Measurement(NamedTuple):
    """What a contestant came to in one round: one training run or several."""

    runs: Sequence[ItemAccuracies]


class Comparison(NamedTuple):
    """One contestant against the leader at a look.

    Attributes:
        look: counted from 1.
        leader: who led.
        gain: over the leader.
        p: two-sided.
        p_holm: corrected for all comparisons of the race.
    """

    look: int
    leader: str
    gain: Gain
    p: float
    p_holm: float

    @property
    def behind(self) -> bool:
        """Whether that is enough to drop the contestant."""
        return self.gain.verdict == "worse" and self.p_holm < LEVEL


@dataclass
class RaceResult:
    """How a race stands.

    Attributes:
        looks: that there will be.
        leaders: at each look that was held; empty where nobody had been measured.
        dropped: who is out, and the comparison that decided it.
    """

    looks: int
    leaders: list[str] = field(default_factory=list)
    dropped: dict[str, Comparison] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether every look was held."""
        return len(self.leaders) == self.looks

    @property
    def winner(self) -> str:
        """Who leads at the last look; empty before it."""
        return self.leaders[-1] if self.over else ""


def run_race(
    measured: Mapping[str, Sequence[Measurement | None]],
    *,
    looks: int,
    spread: float = RUN_SPREAD,
) -> RaceResult:
    """Hold every look that can be held.

    Args:
        measured: by contestant, one entry per round so far; `None` where a round
            gave nothing. There is a look after each round that all who are still in
            have behind them.
        looks: rounds that there will be; the correction counts them all.
        spread: standard deviation of a recipe's accuracy from one training run to
            the next, in points of 1. Where the runs themselves show more, that holds.

    Returns:
        The same for the same measurements: a race is computed, never kept.
    """
    result, ps, scores = RaceResult(looks), [], _Scores(measured)
    # Who leads is chosen by the answers that are compared: every pair counts.
    family = looks * len(measured) * (len(measured) - 1) // 2
    for look in range(1, looks + 1):
        still_in = [name for name in measured if name not in result.dropped]
        if any(len(measured[name]) < look for name in still_in):
            break
        complete = [n for n in still_in if None not in measured[n][:look]]
        if not complete:
            result.leaders.append("")
            continue
        leader = max(complete, key=lambda name: scores.mean(name, look))
        result.leaders.append(leader)
        seen = [
            rounds[: result.dropped[name].look if name in result.dropped else look]
            for name, rounds in measured.items()
        ]
        moves = max(spread, run_spread(seen))
        found = {
            name: scores.compare(leader, name, look, spread=moves)
            for name in still_in
            if name != leader
        }
        ps += [p for _, p in found.values()]
        # Comparisons that are still to come count as if they would show nothing.
        adjusted = holm_adjust([*ps, *[1.0] * (family - len(ps))])
        own = adjusted[len(ps) - len(found) : len(ps)]
        for (name, (gain, p)), p_holm in zip(found.items(), own, strict=True):
            one = Comparison(look, leader, gain, p, p_holm)
            if one.behind:
                result.dropped[name] = one
    return result


class _Scores:
    """Mean accuracies by contestant, round and item; NaN where there is none."""

    def __init__(self, measured: Mapping[str, Sequence[Measurement | None]]):
        rounds = max(map(len, measured.values()), default=0)
        items: dict[str, int] = {}
        for one in (one for all_of in measured.values() for one in all_of if one):
            for run in one.runs:
                for item in run:
                    items.setdefault(item, len(items))
        self.table = {n: np.full((rounds, len(items)), np.nan) for n in measured}
        self.runs = {name: np.zeros(rounds, int) for name in measured}
        for name, own in measured.items():
            for number, one in enumerate(own):
                if one is None:
                    continue
                self.runs[name][number] = len(one.runs)
                rows = np.array([[r.get(i, np.nan) for i in items] for r in one.runs])
                asked = ~np.isnan(rows).all(axis=0)
                self.table[name][number, asked] = np.nanmean(rows[:, asked], axis=0)

    def mean(self, name: str, look: int) -> float:
        """Accuracy in the first rounds, each round alike."""
        return float(np.nanmean(self.table[name][:look], axis=1).mean())

    def compare(
        self, leader: str, other: str, look: int, *, spread: float
    ) -> tuple[Gain, float]:
        """What another gains over the leader in the rounds of both, and its p.

        The interval is Student's over items, whose differences are means over the
        rounds that asked them, with two items more, one for each side: without them a
        handful of items that all say the same would claim certainty. To its variance
        comes what both sides' training runs move by chance.
        """
        difference = self.table[other][:look] - self.table[leader][:look]
        common = ~np.isnan(difference)
        asked = common.any(axis=0)
        each = np.nanmean(difference[:, asked], axis=0)
        if len(each) < MIN_ITEMS:
            delta = float(each.mean()) if len(each) else float("nan")
            return Gain(delta, -1.0, 1.0, len(each)), 1.0
        fewer = np.minimum(self.runs[leader][:look], self.runs[other][:look])
        runs = fewer[common.any(axis=1)].sum()
        padded = np.append(each, [1.0, -1.0])
        variance = padded.var(ddof=1) / len(padded) + 2 * spread**2 / runs
        delta, error, freedom = float(each.mean()), variance**0.5, len(each) - 1
        half = stdtrit(freedom, 1 - LEVEL / 2) * error  # Student's t
        p = 2 * float(stdtr(freedom, -abs(delta) / error))
        low, high = max(delta - half, -1.0), min(delta + half, 1.0)
        return Gain(delta, float(low), float(high), len(each)), p


def run_spread(measured: Sequence[Sequence[Measurement | None]]) -> float:
    """How much a recipe's accuracy moves between training runs on the same items.

    Args:
        measured: rounds of each contestant.

    Returns:
        A standard deviation in points of 1, over all contestants together, without
        what single items' answers explain; 0 where nobody ran the same items twice.
    """
    found = []
    for rounds in measured:
        runs = [run for one in rounds if one for run in one.runs]
        if len(runs) < 2:
            continue
        items = set(runs[0]).intersection(*runs[1:])
        if len(items) < MIN_ITEMS:
            continue
        table = np.array([[run[item] for item in sorted(items)] for run in runs])
        of_items = table.var(axis=0, ddof=1).mean() / len(items)
        found.append(table.mean(axis=1).var(ddof=1) - of_items)
    return float(max(np.mean(found), 0.0) ** 0.5) if found else 0.0
