"""Adaptive sampling: where samples go, when it ends, and that it pays."""

from itertools import pairwise

import numpy as np
import pytest

from phi_kit.selection.adaptive_sampling import (
    Lookahead,
    SamplingPlan,
    sample_adaptively,
)
from phi_kit.selection.pass_rate_posterior import (
    Counts,
    Prior,
    credible_interval,
    fit_prior,
)
from phi_kit.selection.tiers import assign_tiers

BAND = (0.1, 0.75)
PLENTY = 10**9


def plan(**more):
    return SamplingPlan(
        **{"screen": 4, "most": 16, "risk": 0.05, "budget": PLENTY, "band": BAND} | more
    )


def sampled(p, most=16, seed=0):
    """Samples drawn beforehand; adaptive sampling sees a prefix of each seed's."""
    draw = np.random.default_rng(seed)
    hits = draw.random((len(p), most)) < np.asarray(p)[:, None]
    right = np.hstack([np.zeros((len(p), 1), int), hits.cumsum(axis=1)])
    asked = []

    def first(totals):
        asked.append(totals.copy())
        mine = right[np.arange(len(p)), totals]
        return Counts.of(mine, totals - mine)

    return first, asked


def population(n, seed=1):
    """Mostly unsolved, like a small model's: a few in the band, a few easy."""
    draw = np.random.default_rng(seed)
    kinds = draw.choice(3, n, p=[0.75, 0.18, 0.07])
    betas = draw.beta(0.3, 6, n), draw.beta(1.5, 3, n), draw.beta(5, 1, n)
    return np.choose(kinds, betas)


@pytest.mark.parametrize(
    ("screen", "most", "rungs"),
    [(4, 16, [4, 6, 9, 13, 16]), (2, 5, [2, 3, 4, 5]), (8, 8, [8]), (3, 4, [3, 4])],
)
def test_totals_grow_by_half(screen, most, rungs):
    assert plan(screen=screen, most=most).sample_schedule == rungs


def test_every_seed_is_screened_and_none_goes_beyond_most():
    draw, asked = sampled(population(200))
    found = sample_adaptively(draw, 200, plan())
    assert (asked[0] == 4).all()
    assert found.counts.n.min() == 4
    assert found.counts.n.max() == 16
    assert sum(found.spent) == found.counts.n.sum()
    assert (np.diff(asked, axis=0) >= 0).all()


def test_only_seeds_in_doubt_are_drawn_on():
    draw, asked = sampled(population(300))
    sample_adaptively(draw, 300, plan())
    drawn_on = 0
    for before, after in pairwise(list(asked)):
        more = after > before
        low, high = credible_interval(draw(before))
        astride = [(low < edge) & (edge < high) for edge in BAND]
        assert (astride[0] | astride[1])[more].all()
        drawn_on += more.sum()
    assert drawn_on > 50


def test_a_clear_seed_is_left_alone_and_a_doubtful_one_is_not():
    p = np.array([0.0] * 150 + [1.0] * 30 + [0.15] * 60)
    draw, _ = sampled(p)
    found = sample_adaptively(draw, len(p), plan())
    drawn, first = found.counts.n, draw(np.full(len(p), 4)).right
    assert (drawn[:180] == 4).all()
    assert drawn[first == 1].min() > 4  # luck, or in the band?


def test_the_budget_is_kept_and_spent():
    draw, _ = sampled(population(300))
    found = sample_adaptively(draw, 300, plan(risk=0.0, budget=1800))
    assert 1740 <= found.counts.n.sum() <= 1800


def test_a_budget_below_the_screen_withholds_nothing_and_adds_nothing():
    draw, _ = sampled(population(50))
    found = sample_adaptively(draw, 50, plan(budget=10))
    assert (found.counts.n == 4).all()
    assert found.spent == [200]


def test_it_ends_when_the_risk_is_reached():
    draw, _ = sampled(population(400))
    found = sample_adaptively(draw, 400, plan(risk=0.06))
    assert found.doubt.mean() <= 0.065
    strict = sample_adaptively(draw, 400, plan(risk=0.01))
    assert strict.counts.n.sum() > found.counts.n.sum()


@pytest.mark.slow
def test_half_the_samples_give_nineteen_of_twenty_seeds_their_tier():
    same, share = [], []
    for trial in range(10):
        draw, _ = sampled(population(300, seed=trial), seed=trial)
        found = sample_adaptively(draw, 300, plan(risk=0.035, budget=300 * 16 // 2))
        whole = draw(np.full(300, 16))
        tiers, _ = assign_tiers(whole, BAND, prior=fit_prior(whole))
        same.append((tiers == found.tier_index).mean())
        share.append(sum(found.spent) / (300 * 16))
    assert np.mean(same) >= 0.95
    assert max(share) <= 0.5


@pytest.mark.slow
def test_doubt_is_how_often_all_samples_say_otherwise():
    expected, other = [], []
    for trial in range(10):
        draw, _ = sampled(population(300, seed=trial), seed=trial)
        found = sample_adaptively(draw, 300, plan())
        whole = draw(np.full(300, 16))
        tiers, _ = assign_tiers(whole, BAND, prior=fit_prior(whole))
        expected.append(found.doubt.mean())
        other.append((tiers != found.tier_index).mean())
    assert np.mean(other) == pytest.approx(np.mean(expected), abs=0.015)


def test_a_sample_that_costs_nothing_is_taken_until_nothing_is_in_doubt():
    outlook = Lookahead(plan(), Prior(0.5, 1.5))
    free, dear = outlook.at(0.0), outlook.at(0.5)
    assert not any(go.any() for go in dear.go.values())
    assert free.left[4].max() < 1e-9
    assert (free.taken[4] >= dear.taken[4]).all()


def test_censored_samples_do_not_break_it():
    none = np.zeros(6, int)

    def draw(totals):
        return Counts(none, none, totals.copy(), none)  # every sample cut off

    found = sample_adaptively(draw, 6, plan())
    assert (found.counts.truncated >= 4).all()
    assert np.isfinite(found.risk).all()


def test_no_seeds():
    found = sample_adaptively(lambda totals: Counts.of([], []), 0, plan())
    assert found.spent == [0]
