"""Intervals that mean what they say."""

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from phi_kit.stats.comparison import Gain, paired_gain
from phi_kit.stats.intervals import accuracy, bootstrap_interval, wilson_interval


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(0, 8, 0, 0.32), (4, 8, 0.22, 0.78), (16, 32, 0.34, 0.66), (8, 8, 0.68, 1)],
)
def test_wilson_as_published(right, n, low, high):
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=0.005)


@pytest.mark.parametrize("n", [1, 8, 33, 500])
def test_wilson_is_that_of_scipy(n):
    for right in {0, 1, n // 3, n - 1, n}:
        theirs = binomtest(right, n).proportion_ci(method="wilson")
        assert wilson_interval(right, n) == pytest.approx(
            (theirs.low, theirs.high), abs=1e-14
        )


def test_wilson_knows_nothing_without_samples():
    assert wilson_interval(0, 0) == (0, 1)


def test_bootstrap_covers_about_95_percent():
    draw = np.random.default_rng(1)
    hits = 0
    for trial in range(120):
        part = accuracy((draw.random(60) < 0.3).tolist(), rng_seed=trial)
        hits += part.low <= 0.3 <= part.high
    assert 0.88 <= hits / 120 <= 0.99


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_equal_items_do_not_claim_certainty(value):
    part = accuracy([value] * 10, rng_seed=1)
    assert part.accuracy == value
    assert 0 <= part.low <= value <= part.high <= 1
    assert part.high - part.low > 0.1


def test_nothing_measured_says_so():
    assert math.isnan(accuracy([], rng_seed=1).accuracy)
    empty = paired_gain([], [], rng_seed=1)
    assert (empty.low, empty.high, empty.verdict) == (-1, 1, "cannot tell")


def test_a_gain_is_paired_by_item():
    draw = np.random.default_rng(2)
    before = (draw.random(200) < 0.5).astype(float)
    after = before.copy()
    after[:12] = 1
    paired = paired_gain(before, after, rng_seed=1)
    shuffled = paired_gain(before, draw.permutation(after), rng_seed=1)
    assert paired.delta == pytest.approx(shuffled.delta)
    assert paired.high - paired.low < (shuffled.high - shuffled.low) / 2
    assert paired.verdict == "better"
    assert shuffled.verdict == "cannot tell"
    assert paired_gain(after, before, rng_seed=1).verdict == "worse"
    assert paired_gain(before, after, rng_seed=1) == paired


@pytest.mark.parametrize(("before", "after"), [([1], [1, 0]), ([1, 1, 0], [1, 0])])
def test_unpaired_items_are_refused(before, after):
    with pytest.raises(ValueError, match="not paired: "):
        paired_gain(before, after, rng_seed=1)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.1, 0.1, "cannot tell"),
        (0.0, 0.1, "cannot tell"),
        (-0.1, 0.0, "cannot tell"),
    ],
)
def test_verdicts(low, high, verdict):
    assert Gain((low + high) / 2, low, high, 50).verdict == verdict


# --- how often an interval holds the truth, exactly: over all counts of n items ---


def coverage(n, rate):
    """The chance that Wilson's interval of n items holds the true rate."""
    ends = np.array([wilson_interval(right, n) for right in range(n + 1)])
    holds = (ends[:, 0] <= rate) & (rate <= ends[:, 1])
    return float(binom.pmf(np.arange(n + 1), n, rate)[holds].sum())


@pytest.mark.parametrize("n", [20, 50, 100, 300, 1000])
def test_intervals_of_single_answers_cover_what_they_say(n):
    ends = {right: accuracy([1.0] * right + [0.0] * (n - right), rng_seed=1)
            for right in (0, 1, n // 3, n)}  # fmt: skip
    assert {k: (e.low, e.high) for k, e in ends.items()} == {
        k: wilson_interval(k, n) for k in ends
    }
    found = [coverage(n, rate) for rate in np.arange(0.02, 0.981, 0.005)]
    assert 0.945 <= np.mean(found) <= 0.96
    assert min(found) >= 0.91
    if n >= 300:
        assert 0.93 <= min(found) <= max(found) <= 0.97


def test_items_that_belong_together_are_resampled_together():
    draw = np.random.default_rng(8)
    groups = np.repeat(np.arange(30), 8)
    values = np.repeat(draw.random(30) < 0.4, 8).astype(float)
    names = [f"group {place}" for place in groups]
    alone = bootstrap_interval(values, 1)
    together = bootstrap_interval(values, 1, clusters=names)
    # Eight copies of an answer say as much as one: the error of 30 items, not of 240.
    widths = [high - low for low, high in (alone, together)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(8), rel=0.1)
    # A cluster each is no clustering.
    singles = [str(place) for place in range(240)]
    assert bootstrap_interval(values, 1, clusters=singles) == alone


@pytest.mark.slow
def test_identical_models_raise_few_false_alarms():
    draw, told = np.random.default_rng(11), 0
    for trial in range(1000):
        rates = draw.beta(0.6, 2.4, 100)
        one, other = ((draw.random(100) < rates).astype(float) for _ in range(2))
        told += paired_gain(one, other, rng_seed=trial).verdict != "cannot tell"
    assert told <= 50
