"""Everything that a sweep measured, as the atlas shows it.

A measure is one accuracy that several variants have: a domain, dev or test, and the arm
or model that answered. Items are packed as a letter each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phi_kit.stats.shared_items import SharedItems
from phi_kit.study.side_by_side import RNG_SEED, ItemScores, Measured

from .parameter_effects import (
    Effect,
    SeedSpread,
    deviation_over_seeds,
    effects,
    seed_spreads,
)
from .variant_results import VariantResult

# A letter is an accuracy of so many parts; JSON and HTML leave all of them as they are.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BASE = "base"


@dataclass(frozen=True)
class VariantScore:
    """A variant's accuracy on one measure, over items.

    Attributes:
        accuracy: with `low` and `high`, the 95 % interval.
        gain: over base, paired by item, with its ends; `None` where base was not asked
            the same items.
        packed: a letter for each item, `parts` of which make 1.
    """

    accuracy: float
    low: float
    high: float
    gain: tuple[float, float, float] | None
    packed: str


@dataclass(frozen=True)
class Measure:
    """One measure over all variants that have it.

    Attributes:
        what: was measured.
        ids: of the items that all of them were asked.
        parts: what one letter of a packed item is a part of.
        scores: by the variant's place.
        effects: of the parameters.
        spreads: over random seeds.
    """

    what: Measured
    ids: tuple[str, ...]
    parts: int
    scores: Mapping[int, VariantScore]
    effects: Sequence[Effect]
    spreads: Sequence[SeedSpread]

    @property
    def label(self) -> str:
        """`math, dev: teachable`."""
        return f"{self.what.domain}, {self.what.split}: {self.what.who}"

    @property
    def deviation(self) -> float | None:
        """The standard deviation from one random seed to another."""
        return deviation_over_seeds(self.spreads)


def measures(variants: Sequence[VariantResult]) -> list[Measure]:
    """All measures, those of most variants first, base last."""
    asked = Counter(what for one in variants for what in one.scores)
    order = sorted(asked, key=lambda what: (what.who == _BASE, -asked[what], what))
    made = (_measure(what, variants) for what in order)
    return [measure for measure in made if measure.ids]


def _measure(what: Measured, variants: Sequence[VariantResult]) -> Measure:
    places = [place for place, one in enumerate(variants) if what in one.scores]
    own = [variants[place].scores[what] for place in places]
    ids = _common_ids(own)
    if not ids:
        return Measure(what, (), 1, {}, (), ())
    runs = [scores.on(ids) for scores in own]
    rows = np.array([run.mean(axis=0) for run in runs])
    shared = SharedItems(len(ids), rng_seed=RNG_SEED)
    settings = [variants[place].sets for place in places]
    parts = _parts(rows)
    scores = _scores(rows, [_base_row(variants[p], what, ids) for p in places], shared)
    return Measure(
        what,
        ids,
        parts,
        {
            place: VariantScore(*score, _packed(row, parts))
            for place, score, row in zip(places, scores, rows, strict=True)
        },
        effects(settings, rows, shared),
        seed_spreads(settings, runs),
    )


def _common_ids(own: Sequence[ItemScores]) -> tuple[str, ...]:
    """The items that all of them were asked, in the order of the first."""
    common = set(own[0].ids).intersection(*(scores.ids for scores in own[1:]))
    return tuple(name for name in own[0].ids if name in common)


def _base_row(
    variant: VariantResult, what: Measured, ids: Sequence[str]
) -> np.ndarray | None:
    """Base's accuracy on the same items, if the variant asked it all of them."""
    base = variant.scores.get(Measured(what.domain, what.split, _BASE))
    if what.who == _BASE or base is None or not set(ids) <= set(base.ids):
        return None
    return base.on(ids).mean(axis=0)


def _scores(
    rows: np.ndarray, bases: Sequence[np.ndarray | None], shared: SharedItems
) -> list[tuple[Any, ...]]:
    """Accuracy, its ends and the gain over base of each row."""
    low, high = shared.intervals(rows)
    gains = np.array(
        [
            row - base if base is not None else np.zeros_like(row)
            for row, base in zip(rows, bases, strict=True)
        ]
    )
    least, most = shared.intervals(gains)
    return [
        (
            float(row.mean()),
            max(0.0, float(low[place])),
            min(1.0, float(high[place])),
            None
            if bases[place] is None
            else (float(gains[place].mean()), float(least[place]), float(most[place])),
        )
        for place, row in enumerate(rows)
    ]


def _parts(rows: np.ndarray) -> int:
    """The smallest number that every accuracy is parts of; at most all letters."""
    values = np.unique(rows)
    for parts in range(1, len(LETTERS)):
        if np.allclose(values * parts, np.round(values * parts), atol=1e-6):
            return parts
    return len(LETTERS) - 1


def _packed(row: np.ndarray, parts: int) -> str:
    return "".join(LETTERS[level] for level in np.rint(row * parts).astype(int))
