"""What each parameter of a sweep does, and how far chance alone moves a result.

An effect compares variants that differ in one parameter and in nothing else, item by
item. Where there are none (a random sweep), the variants of each value are compared as
groups, and the page says that they are not paired.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phi_kit.core.number_format import is_number
from phi_kit.stats import comparison
from phi_kit.stats.comparison import Gain
from phi_kit.stats.shared_items import SharedItems

# Parameters that repeat a variant and change nothing else.
_REPEATS = ("rng_seed", "train_seeds")
_MOST_VALUES = 6  # of numbers; more of them are compared as two halves


@dataclass(frozen=True)
class Effect:
    """What a value of a parameter does against its reference.

    Attributes:
        path: of the parameter.
        value: in words.
        reference: in words.
        pairs: pairs of variants that differ in this alone; 0 if it is not paired.
        gain: of the value over the reference.
        verdict: corrected for all effects of the sweep on this measure.
    """

    path: str
    value: str
    reference: str
    pairs: int
    gain: Gain
    verdict: str


@dataclass(frozen=True)
class SeedSpread:
    """The accuracies of variants that differ in random seeds alone.

    Attributes:
        sets: what they have in common, of the parameters that vary.
        accuracies: one for each seed.
    """

    sets: Mapping[str, Any]
    accuracies: Sequence[float]

    @property
    def deviation(self) -> float:
        """The standard deviation from one seed to another."""
        return float(np.std(self.accuracies, ddof=1))


def varied(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Paths that have more than one value among the variants."""
    paths = dict.fromkeys(path for sets in settings for path in sets)
    return [p for p in paths if len({_key(sets.get(p)) for sets in settings}) > 1]


def effects(
    settings: Sequence[Mapping[str, Any]], rows: np.ndarray, shared: SharedItems
) -> list[Effect]:
    """The effect of every value of every parameter that varies.

    Args:
        settings: what each variant sets.
        rows: (variants, items): the accuracy of each item.
        shared: the resamples of these items.
    """
    found, ps = [], []
    for path in varied(settings):
        if is_repeat(path):
            continue
        for value, reference, pairs, before, after in _contrasts(path, settings, rows):
            compare = shared.paired_gain if pairs else shared.unpaired_gain
            gain = compare(before, after)
            p = comparison.paired_p_value(
                before.mean(axis=0), after.mean(axis=0), rng_seed=shared.rng_seed
            )
            found.append((path, value, reference, pairs, gain))
            ps.append(p)
    adjusted = comparison.holm_adjust(ps)
    return [
        Effect(*one, comparison.corrected_verdict(one[-1], p))
        for one, p in zip(found, adjusted, strict=True)
    ]


def is_repeat(path: str) -> bool:
    """Whether a parameter is a random seed, which only repeats a variant."""
    return path.rpartition(".")[2] in _REPEATS


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _contrasts(path: str, settings: Sequence[Mapping[str, Any]], rows: np.ndarray):
    """Each value against the first: (value, reference, pairs, before, after)."""
    values = _ordered({_key(sets.get(path)): sets.get(path) for sets in settings})
    reference, *others = values
    by_rest: dict[str, dict[str, int]] = defaultdict(dict)
    for place, sets in enumerate(settings):
        rest = {name: value for name, value in sets.items() if name != path}
        by_rest[_key(rest)][_key(sets.get(path))] = place
    pairs = {
        other: [
            (places[reference], places[other])
            for places in by_rest.values()
            if reference in places and other in places
        ]
        for other in others
    }
    if any(pairs.values()):
        for other, both in pairs.items():
            if both:
                first, second = (rows[list(side)] for side in zip(*both, strict=True))
                yield _shown(other), _shown(reference), len(both), first, second
        return
    for name, name_of_first, first, second in _groups(path, values, settings):
        yield name, name_of_first, 0, rows[first], rows[second]


def _groups(path: str, values: Sequence[str], settings: Sequence[Mapping[str, Any]]):
    """Variants by value, or by halves of many numbers: (value, reference, places …)."""
    keys = [_key(sets.get(path)) for sets in settings]
    numbers = [sets.get(path) for sets in settings]
    if len(values) > _MOST_VALUES and all(map(is_number, numbers)):
        middle = float(np.median(numbers))
        low = [place for place, number in enumerate(numbers) if number <= middle]
        high = [place for place, number in enumerate(numbers) if number > middle]
        if low and high:
            yield f"above {middle:g}", f"up to {middle:g}", low, high
        return
    first, *others = values
    before = [place for place, key in enumerate(keys) if key == first]
    for other in others:
        after = [place for place, key in enumerate(keys) if key == other]
        yield _shown(other), _shown(first), before, after


def _ordered(values: Mapping[str, Any]) -> list[str]:
    """Keys of values: numbers by size, others as they come."""
    if all(is_number(value) for value in values.values()):
        return sorted(values, key=lambda key: values[key])
    return list(values)


def _shown(key: str) -> str:
    value = json.loads(key)
    return value if isinstance(value, str) else "not set" if value is None else key


def seed_spreads(
    settings: Sequence[Mapping[str, Any]], runs: Sequence[np.ndarray]
) -> list[SeedSpread]:
    """How far variants lie apart that differ in nothing but random seeds.

    Args:
        settings: what each variant sets.
        runs: of each variant (training runs, items): the accuracy of each item.
    """
    shown = [path for path in varied(settings) if not is_repeat(path)]
    groups: dict[str, tuple[Mapping[str, Any], list[float]]] = {}
    for sets, own in zip(settings, runs, strict=True):
        same = {path: sets.get(path) for path in shown}
        accuracies = groups.setdefault(_key(same), (same, []))[1]
        accuracies += own.mean(axis=1).tolist()
    return [
        SeedSpread(same, accuracies)
        for same, accuracies in groups.values()
        if len(accuracies) > 1
    ]


def deviation_over_seeds(spreads: Sequence[SeedSpread]) -> float | None:
    """The standard deviation from seed to seed, pooled; `None` without repeats."""
    degrees = sum(len(spread.accuracies) - 1 for spread in spreads)
    if not degrees:
        return None
    squares = sum(
        spread.deviation**2 * (len(spread.accuracies) - 1) for spread in spreads
    )
    return float(np.sqrt(squares / degrees))
