"""Better as a recipe: what training runs add to an interval."""

import math

import numpy as np
import pytest

from phi_kit.stats.recipe_gain import mean_recipe_gain, recipe_gain


def study(*, runs, run_sd, gain=0.0, n=100, draw):
    """Single answers of base and of arms whose rate moves from run to run."""
    hard = np.clip(draw.beta(0.6, 2.4, n), 0, 1)
    base = (draw.random(n) < hard).astype(float)
    moved = draw.normal(gain, run_sd, runs)
    arms = [draw.random(n) < np.clip(hard + move, 0, 1) for move in moved]
    return [base], [arm.astype(float) for arm in arms]


def test_one_run_cannot_tell_whatever_it_shows():
    found = recipe_gain([[0.0] * 50], [[1.0] * 25 + [0.0] * 25])
    assert (found.verdict, found.low, found.high) == ("cannot tell", -1, 1)
    assert not found.known
    assert found.as_dict()["run_sd"] is None


def test_one_run_with_a_known_spread_can():
    before, after = [[0.0] * 100], [[1.0] * 40 + [0.0] * 60]
    tight = recipe_gain(before, after, run_sd=0.02)
    wide = recipe_gain(before, after, run_sd=0.3)
    assert tight.verdict == "better"
    assert wide.verdict == "cannot tell"
    error = math.sqrt(np.var(after[0], ddof=1) / 100 + 0.02**2)
    assert tight.error == pytest.approx(error, abs=1e-12)


def test_the_interval_is_students_over_two_parts():
    """By hand: runs at .5 and .7 of 10 items that differ in a known way."""
    before = [[0.0] * 10]
    after = [[1.0] * 5 + [0.0] * 5, [1.0] * 7 + [0.0] * 3]
    found = recipe_gain(before, after)
    items = np.mean(after, axis=0)
    parts = items.var(ddof=1) / 10, np.var([0.5, 0.7], ddof=1) / 2
    df = sum(parts) ** 2 / (parts[0] ** 2 / 9 + parts[1] ** 2 / 1)
    assert found.delta == pytest.approx(0.6)
    assert found.df == pytest.approx(df)
    assert found.error == pytest.approx(math.sqrt(sum(parts)))
    assert found.run_sd == pytest.approx(np.std([0.5, 0.7], ddof=1))


def test_many_items_and_no_run_spread_is_the_paired_t_interval():
    from scipy.stats import ttest_1samp

    draw = np.random.default_rng(3)
    difference = draw.normal(0.1, 0.4, 200)
    found = recipe_gain([np.zeros(200)], [difference], run_sd=0.0)
    theirs = ttest_1samp(difference, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_domains_are_averaged_not_pooled():
    big = ([[0.0] * 200], [[1.0] * 100 + [0.0] * 100] * 2)
    small = ([[0.0] * 20], [[0.0] * 20, [0.0] * 18 + [1.0] * 2])
    found = mean_recipe_gain([big, small])
    assert found.delta == pytest.approx((0.5 + 0.05) / 2)
    assert found.n == 220
    assert found.runs == 2


def test_items_have_to_be_the_same():
    with pytest.raises(ValueError, match="not paired: 2 and 3 items"):
        recipe_gain([[0.0, 1.0]], [[0.0, 1.0, 1.0]])
    with pytest.raises(ValueError, match="needs a domain"):
        mean_recipe_gain([])


@pytest.mark.slow
@pytest.mark.parametrize("run_sd", [0.0, 0.02, 0.04])
@pytest.mark.parametrize("runs", [2, 3])
def test_identical_recipes_raise_few_false_alarms(runs, run_sd):
    draw = np.random.default_rng([runs, int(100 * run_sd)])
    alarms = [
        recipe_gain(*study(runs=runs, run_sd=run_sd, draw=draw)).verdict
        for _ in range(1000)
    ]
    assert np.mean([said != "cannot tell" for said in alarms]) <= 0.05
