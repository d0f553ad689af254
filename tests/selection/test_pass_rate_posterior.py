"""Pass rates as posteriors: intervals, tiers, risks, censored samples."""

import numpy as np
import pytest

from phi_kit.selection.pass_rate_posterior import (
    JEFFREYS,
    Counts,
    Prior,
    credible_interval,
    fit_prior,
)
from phi_kit.selection.tiers import HIGH, INSIDE, LOW, assign_tiers, tier_probabilities

BAND = (0.1, 0.75)


def counts(right, wrong, cut=0, unknown=0, truncated_correct_rate=float("nan")):
    parts = [np.array([part]) for part in (right, wrong, cut, unknown)]
    return Counts(*parts, truncated_correct_rate=truncated_correct_rate)


# Jeffreys intervals as statsmodels' proportion_confint(method="jeffreys") prints them.
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 4, 0, 0.4463),
        (2, 4, 0.1226, 0.8774),
        (4, 8, 0.1993, 0.8007),
        (8, 8, 0.7382, 1),
    ],
)
def test_jeffreys_interval(right, n, low, high):
    found = credible_interval(counts(right, n - right))
    assert [float(end[0]) for end in found] == pytest.approx([low, high], abs=2e-3)


def test_without_a_sample_nothing_is_known():
    low, high = credible_interval(counts(0, 0))
    assert (low[0], high[0]) == (0, 1)
    assert np.isnan(counts(0, 0).rate[0])


def test_jeffreys_covers_about_95_percent():
    draw = np.random.default_rng(1)
    p = draw.random(4000)
    right = draw.binomial(8, p)
    low, high = credible_interval(Counts.of(right, 8 - right))
    assert 0.93 <= ((low <= p) & (p <= high)).mean() <= 0.98


def test_a_cut_off_sample_is_neither_right_nor_wrong():
    found = counts(1, 1, cut=2)
    assert found.rate[0] == 0.5
    assert [end[0] for end in found.bounds] == [0.25, 0.75]
    low, high = (end[0] for end in credible_interval(found))
    assert low == credible_interval(counts(1, 3))[0][0]
    assert high == credible_interval(counts(3, 1))[1][0]


def test_a_seed_of_cut_off_samples_could_be_anything():
    found = counts(0, 0, cut=4)
    assert [end[0] for end in credible_interval(found)] == [0, 1]
    assert np.isnan(found.rate[0])


@pytest.mark.parametrize(
    ("cut", "truncated_correct_rate", "right", "wrong"),
    [(4, 0.25, 2, 3), (4, 0.1, 1, 4), (16, 0.1, 3, 14), (4, 0.9, 5, 0), (0, 0.5, 1, 0)],
)
def test_what_cut_off_samples_turn_into_fills_them_in(
    cut, truncated_correct_rate, right, wrong
):
    found = counts(1, 0, cut=cut, truncated_correct_rate=truncated_correct_rate)
    assert [part[0] for part in found.filled] == [right, wrong]
    # The rate of one seed takes the share as it is.
    assert found.rate[0] == pytest.approx(
        (1 + truncated_correct_rate * cut) / (1 + cut)
    )
    assert found.n[0] == cut + 1


def test_seeds_that_never_get_anywhere_stay_hopeless_when_cut_off():
    """A small share for each would move the whole pool away from zero."""
    draw = np.random.default_rng(5)
    p = np.where(draw.random(400) < 0.8, 0.0, 0.4)
    right, cut = draw.binomial(2, p), np.full(400, 2)
    some = Counts(right, 2 - right, cut, np.zeros(400, int), truncated_correct_rate=0.1)
    assert fit_prior(some).mean(some)[p == 0].mean() < 0.04


def test_chances_add_up_and_follow_the_counts():
    found = tier_probabilities(Counts.of([0, 4, 16], [16, 4, 0]), BAND, prior=JEFFREYS)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.argmax(axis=1).tolist() == [LOW, INSIDE, HIGH]


def test_one_of_four_is_luck_where_hardly_any_seed_is_solved():
    lucky = Counts.of([1], [3])
    poor, rich = Prior(0.1, 3), Prior(1, 1)
    assert assign_tiers(lucky, BAND, prior=rich)[0][0] == INSIDE
    assert (
        assign_tiers(lucky, BAND, prior=poor)[1][0]
        > assign_tiers(lucky, BAND, prior=rich)[1][0]
    )


def test_the_fitted_prior_finds_the_pool():
    draw = np.random.default_rng(2)
    right = draw.binomial(8, draw.beta(0.5, 2.0, 3000))
    found = fit_prior(Counts.of(right, 8 - right))
    assert found.a == pytest.approx(0.5, rel=0.15)
    assert found.b == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize("right", [[0] * 50, [4] * 50])
def test_equal_seeds_leave_room_for_others(right):
    found = fit_prior(Counts.of(right, [4 - r for r in right]))
    assert np.isfinite([found.a, found.b]).all()
    assert 0 < found.a / (found.a + found.b) < 1


@pytest.mark.parametrize("right", [[], [3]])
def test_no_pool_no_fit(right):
    assert fit_prior(Counts.of(right, right)) == JEFFREYS


def test_risks_are_the_errors_that_are_made():
    draw = np.random.default_rng(3)
    p = draw.beta(0.3, 1.2, 20_000)
    right = draw.binomial(6, p)
    found = Counts.of(right, 6 - right)
    place, risk = assign_tiers(found, BAND, prior=fit_prior(found))
    truth = np.digitize(p, BAND)
    assert risk.mean() == pytest.approx((place != truth).mean(), abs=0.015)
    for tier in (LOW, INSIDE, HIGH):
        mine = place == tier
        assert risk[mine].mean() == pytest.approx(
            (truth != tier)[mine].mean(), abs=0.05
        )


def test_a_posterior_mean_survives_being_chosen():
    """Choosing by the samples flatters a pass rate, not the posterior's mean."""
    draw = np.random.default_rng(4)
    p = draw.beta(0.3, 1.2, 20_000)
    right = draw.binomial(4, p)
    found = Counts.of(right, 4 - right)
    prior = fit_prior(found)
    chosen = assign_tiers(found, BAND, prior=prior)[0] == INSIDE
    assert found.rate[chosen].mean() > p[chosen].mean() + 0.02
    assert prior.mean(found)[chosen].mean() == pytest.approx(p[chosen].mean(), abs=0.01)
