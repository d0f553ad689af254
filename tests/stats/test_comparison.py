"""Several arms at once: fewer false claims, and what seeds add to an interval."""

import numpy as np
import pytest

from phi_kit.stats.comparison import (
    NOT_CONSTANT,
    Gain,
    accuracy_over_seeds,
    beyond_guessing,
    corrected_verdict,
    curve_verdict,
    dose_tapering,
    gain_over_seeds,
    holm_adjust,
    paired_gain,
    paired_p_value,
    unpaired_gain,
    unpaired_p_value,
)
from phi_kit.stats.intervals import accuracy


def items(rate, *, n=200, seed=0):
    return (np.random.default_rng(seed).random(n) < rate).astype(float).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ps", "adjusted"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # Holm's own procedure
        ([0.9, 0.8], [1.0, 1.0]),
        ([0.001, 0.001], [0.002, 0.002]),
    ],
)
def test_holm(ps, adjusted):
    assert holm_adjust(ps) == pytest.approx(adjusted)


@pytest.mark.slow
def test_p_values():
    base = items(0.3)
    assert paired_p_value(base, base, rng_seed=1) == 1.0
    better = [max(a, b) for a, b in zip(base, items(0.3, seed=1), strict=True)]
    assert paired_p_value(base, better, rng_seed=1) < 0.001
    assert paired_p_value(better, base, rng_seed=1) < 0.001  # two-sided
    ps = [
        paired_p_value(items(0.3, seed=s), items(0.3, seed=s + 99), rng_seed=1)
        for s in range(40)
    ]
    assert np.mean(np.array(ps) < 0.05) <= 0.15


@pytest.mark.slow
def test_items_that_are_not_the_same_are_compared_unpaired():
    few, many = items(0.3, seed=1), items(0.6, n=150, seed=2)
    found = unpaired_gain(few, many, rng_seed=7)
    assert found.low < 0.3 < found.high
    # Two independent shares: the textbook's standard error of their difference.
    error = np.sqrt(np.var(few) / 200 + np.var(many) / 150)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert (found.n, found.verdict) == (150, "better")
    assert unpaired_p_value(few, many, rng_seed=7) < 0.001
    assert unpaired_p_value(few, items(0.3, seed=3), rng_seed=7) > 0.05
    certain = unpaired_gain([0.0] * 20, [1.0] * 20, rng_seed=7)
    assert certain.low < 0.8 < certain.high == 1.0


@pytest.mark.slow
def test_unpaired_intervals_hold_the_truth_as_often_as_they_say():
    missed = sum(
        not found.low <= 0.2 <= found.high
        for seed in range(300)
        for found in [
            unpaired_gain(
                items(0.3, n=80, seed=2 * seed),
                items(0.5, n=80, seed=2 * seed + 1),
                rng_seed=seed,
            )
        ]
    )
    assert 3 <= missed <= 27  # 15 expected of 300


@pytest.mark.slow
def test_eight_arms_that_do_not_differ_make_few_false_claims():
    false = {"plain": 0, "corrected": 0}
    for study in range(30):
        base = items(0.4, n=80, seed=study)
        arms = [items(0.4, n=80, seed=1000 + 10 * study + k) for k in range(8)]
        gains = [paired_gain(base, arm, rng_seed=1) for arm in arms]
        ps = holm_adjust([paired_p_value(base, arm, rng_seed=1) for arm in arms])
        false["plain"] += any(g.verdict != "cannot tell" for g in gains)
        false["corrected"] += any(
            corrected_verdict(g, p) != "cannot tell"
            for g, p in zip(gains, ps, strict=True)
        )
    assert false["plain"] > 5  # that is what the correction is for
    assert false["corrected"] <= 5


def test_a_verdict_needs_both():
    clear = Gain(0.1, 0.05, 0.15, 100)
    assert corrected_verdict(clear, 0.01) == "better"
    assert corrected_verdict(clear, 0.2) == "cannot tell"
    assert corrected_verdict(Gain(0.1, -0.05, 0.25, 100), 0.01) == "cannot tell"


def test_one_run_is_what_it_was():
    base, tuned = items(0.3), items(0.5, seed=1)
    assert accuracy_over_seeds([tuned], rng_seed=1) == accuracy(tuned, rng_seed=1)
    assert gain_over_seeds([base], [tuned], rng_seed=1) == paired_gain(
        base, tuned, rng_seed=1
    )


def test_runs_that_differ_widen_the_interval():
    base = items(0.2)
    alike = [items(0.5, seed=1)] * 3
    unlike = [items(rate, seed=1) for rate in (0.3, 0.5, 0.7)]
    narrow = gain_over_seeds([base], alike, rng_seed=1)
    wide = gain_over_seeds([base], unlike, rng_seed=1)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert narrow.n == wide.n == 200
    mean = np.mean(unlike)
    assert accuracy_over_seeds(unlike, rng_seed=1).accuracy == pytest.approx(mean)


def test_equal_runs_claim_no_certainty():
    ones = [[1.0] * 20, [1.0] * 20]
    found = gain_over_seeds(ones, ones, rng_seed=1)
    assert found.low < 0 < found.high


def test_a_curve_that_flattens():
    order = np.random.default_rng(3).permutation(400)

    def nested(shares):
        """Items got right: those of a smaller share are among a larger one's."""
        return [
            np.isin(np.arange(400), order[: int(400 * share)]).astype(float)
            for share in shares
        ]

    flat = dict(zip((0.25, 0.5, 1.0), nested((0.1, 0.5, 0.52)), strict=True))
    assert curve_verdict(dose_tapering(flat, rng_seed=1)) == "tapers"
    steep = dict(zip((0.25, 0.5, 1.0), nested((0.1, 0.12, 0.6)), strict=True))
    assert curve_verdict(dose_tapering(steep, rng_seed=1)) == "steepens"
    even = dict(zip((0.25, 0.5, 1.0), nested((0.1, 0.2, 0.3)), strict=True))
    assert curve_verdict(dose_tapering(even, rng_seed=1)) == "cannot tell"
    with pytest.raises(ValueError, match="three doses"):
        dose_tapering({0.5: [1.0], 1.0: [1.0]}, rng_seed=1)


@pytest.mark.parametrize(
    ("said", "over_guess", "expected"),
    [
        ("better", Gain(0.2, 0.1, 0.3, 100), "better"),
        ("better", Gain(0.05, -0.02, 0.1, 100), NOT_CONSTANT),
        ("better", Gain(-0.1, -0.2, -0.05, 100), NOT_CONSTANT),
        ("worse", Gain(-0.1, -0.2, -0.05, 100), "worse"),
        ("cannot tell", Gain(0.2, 0.1, 0.3, 100), "cannot tell"),
    ],
)
def test_better_has_to_beat_what_guessing_gives(said, over_guess, expected):
    assert beyond_guessing(said, over_guess) == expected


def test_runs_and_groups_of_items_are_resampled_together():
    base = [0.0] * 240
    arm = np.repeat(items(0.4, n=30, seed=2), 8)
    names = [str(place) for place in np.repeat(np.arange(30), 8)]
    runs = [arm, arm]
    plain = gain_over_seeds([base], runs, rng_seed=1)
    grouped = gain_over_seeds([base], runs, rng_seed=1, clusters=names)
    ratio = (grouped.high - grouped.low) / (plain.high - plain.low)
    assert ratio == pytest.approx(np.sqrt(8), rel=0.1)
