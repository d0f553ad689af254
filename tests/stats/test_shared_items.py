"""Intervals of many things measured on the same items."""

import numpy as np
import pytest

from phi_kit.stats.comparison import paired_gain
from phi_kit.stats.intervals import accuracy, wilson_interval
from phi_kit.stats.shared_items import SharedItems


def test_they_are_the_intervals_that_each_has_alone():
    rows = np.random.default_rng(5).integers(0, 2, (4, 80)).astype(float)
    low, high = SharedItems(80, rng_seed=7).intervals(rows)
    for place, row in enumerate(rows):
        alone = accuracy(row, rng_seed=7)
        assert low[place] == pytest.approx(alone.low, abs=0.015)
        assert high[place] == pytest.approx(alone.high, abs=0.015)


def test_equal_values_are_no_certainty():
    low, high = SharedItems(50, rng_seed=7).intervals(np.ones((1, 50)))
    room = wilson_interval(0, 50)[1]
    assert (low[0], high[0]) == (1 - room, 1 + room)


def test_one_pair_is_a_paired_gain_and_pairs_count_too():
    draw = np.random.default_rng(5)
    before = draw.integers(0, 2, (6, 90)).astype(float)
    after = np.maximum(before, draw.random((6, 90)) < 0.2)
    shared = SharedItems(90, rng_seed=7)
    alone = paired_gain(before[0], after[0], rng_seed=7)
    one = shared.paired_gain(before[:1], after[:1])
    assert one.delta == alone.delta
    assert (one.low, one.high) == pytest.approx((alone.low, alone.high), abs=0.02)
    many = shared.paired_gain(before, after)
    assert many.high - many.low < one.high - one.low


def test_groups_that_are_not_paired_have_a_wider_interval():
    draw = np.random.default_rng(5)
    levels = draw.random((8, 1)) * 0.6
    before = (draw.random((8, 90)) < levels).astype(float)
    after = (draw.random((8, 90)) < levels + 0.1).astype(float)
    shared = SharedItems(90, rng_seed=7)
    paired, loose = (
        compare(before, after) for compare in (shared.paired_gain, shared.unpaired_gain)
    )
    assert paired.delta == pytest.approx(loose.delta)
    assert loose.high - loose.low > paired.high - paired.low
