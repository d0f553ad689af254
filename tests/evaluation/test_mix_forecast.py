"""Whether sums of adapters foretell mixes: the rank correlation, and its interval."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.stats import spearmanr

from phi_kit.evaluation.mix_forecast import (
    MEAN,
    MixTrials,
    forecast_mixes,
    mix_table,
    rank_correlations,
)
from phi_kit.plots import mix_curve

SHARES = (0.25, 0.5, 0.75)
WEIGHTS = (0.1, 0.3, 0.5, 0.7, 0.9)


def curve(shares, rates, *, items=200):
    """By share the answers to the same items, the harder ones right from a rate up."""
    hardness = np.random.default_rng(1).random(items)
    return {
        share: {name: (hardness < rate(share)).astype(float) for name, rate in rates}
        for share in shares
    }


RISING = [("math", lambda w: 0.2 + 0.6 * w), ("puzzles", lambda w: 0.8 - 0.6 * w)]


def test_the_correlation_is_spearmans():
    draw = np.random.default_rng(3)
    first, second = draw.integers(0, 4, (2, 200, 6)).astype(float)
    ours = rank_correlations(first, second)
    with np.errstate(all="ignore"):
        theirs = [
            spearmanr(*pair).statistic for pair in zip(first, second, strict=True)
        ]
    assert ours == pytest.approx(np.nan_to_num(theirs), abs=1e-9)
    assert rank_correlations(np.ones((1, 3)), np.arange(3.0)[None]).tolist() == [0.0]


def test_sums_in_the_mixes_order_foretell_them():
    sums, mixes = curve(WEIGHTS, RISING), curve(SHARES, RISING)
    math, puzzles, mean = forecast_mixes(sums, mixes, rng_seed=7)
    assert (math.domain, math.mixes) == ("math", 3)
    assert math.rank_correlation == puzzles.rank_correlation == pytest.approx(1)
    assert math.low > 0.9
    assert math.error < 0.03
    assert (math.foretold_best, math.best) == (0.9, 0.75)
    assert (puzzles.foretold_best, puzzles.best) == (0.1, 0.25)
    assert mean.domain == MEAN
    assert mean.low < mean.high  # the mean is flat: nothing but noise orders it


def test_a_forecast_lies_between_its_neighbours():
    sums = {0.2: {"math": [0.0, 1.0]}, 0.8: {"math": [1.0, 1.0]}}
    mixes = {0.2: {"math": [0, 1]}, 0.5: {"math": [1, 1]}, 0.8: {"math": [1, 1]}}
    found, _ = forecast_mixes(sums, mixes, rng_seed=7)
    # Foretold .5, .75, 1, measured .5, 1, 1.
    assert found.error == pytest.approx(0.25 / 3)
    assert found.rank_correlation == pytest.approx(np.sqrt(3) / 2)


def test_chance_alone_foretells_nothing():
    flat = [("math", lambda _: 0.5), ("puzzles", lambda _: 0.5)]
    draw = np.random.default_rng(5)

    def noisy(shares):
        found = curve(shares, flat)
        for one in found.values():
            for values in one.values():
                values[:] = draw.permutation(values)
        return found

    *_, mean = forecast_mixes(noisy(WEIGHTS), noisy(SHARES), rng_seed=7)
    assert mean.low < 0 < mean.high


def test_opposite_orders_are_said():
    falling = [("math", lambda w: 0.8 - 0.6 * w)]
    sums, mixes = curve(WEIGHTS, RISING[:1]), curve(SHARES, falling)
    found, _ = forecast_mixes(sums, mixes, rng_seed=7)
    assert found.rank_correlation == pytest.approx(-1)
    assert found.high < 0


def test_what_cannot_be_foretold():
    sums, mixes = curve(WEIGHTS, RISING), curve(SHARES, RISING)
    with pytest.raises(ValueError, match="takes 3 mixes, not 2"):
        forecast_mixes(sums, {k: mixes[k] for k in SHARES[:2]}, rng_seed=7)
    with pytest.raises(ValueError, match=r"0\.75 lies beyond the weights"):
        forecast_mixes({k: sums[k] for k in WEIGHTS[:3]}, mixes, rng_seed=7)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"trained": [0.2, 0.5]}, "an order takes 3 mixes or more"),
        ({"trained": [0.2, 0.5, 1.0]}, "above 0 and below 1"),
        ({"trained": [0.2, 0.5, 0.5]}, "names one twice"),
        ({"trained": [0.05, 0.5, 0.8]}, "shares lie within the weights, 0.1 to 0.9"),
    ],
)
def test_what_cannot_be_asked_for(given, said):
    with pytest.raises(ValidationError, match=said):
        MixTrials(**given)


def test_it_is_off_by_default_and_in_order():
    assert not MixTrials()
    trials = MixTrials(trained=[0.75, 0.25, 0.5])
    assert trials
    assert trials.trained == list(SHARES)
    assert len(trials.weights) == 9


def test_the_figure_says_the_ranks():
    sums, mixes = curve(WEIGHTS, RISING), curve(SHARES, RISING)
    table = mix_table({"sum": sums, "trained": mixes}, rng_seed=7)
    assert len(table) == 2 * (5 + 3)
    assert set(table.kind) == {"sum", "trained"}
    said = [one.as_dict() for one in forecast_mixes(sums, mixes, rng_seed=7)]
    figure = mix_curve.draw(table, pd.DataFrame(said))
    assert "Rank correlation over 3 mixes: math +1.00" in figure.words
    assert len(figure.axes) == 2
