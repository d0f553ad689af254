"""What can be told, before anybody is asked."""

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower, normal_power

from phi_kit.stats import power
from phi_kit.stats.comparison import paired_gain
from phi_kit.stats.paired_tests import equivalence


@pytest.mark.parametrize(
    ("discordance", "gain", "equal", "at_100"),
    [(0.1, 306.1, 342.6, 8.9), (0.2, 620.1, 685.1, 12.5), (0.3, 934.02, 1027.7, 15.3)],
)
def test_items_of_a_5_point_question(discordance, gain, equal, at_100):
    assert power.items_for_gain(0.05, discordance) == np.ceil(gain)
    assert power.items_for_equivalence(0.05, discordance) == np.ceil(equal)
    error = power.standard_error(100, power.paired_sd(discordance))
    assert 100 * power.minimum_detectable(error) == pytest.approx(at_100, abs=0.05)


@pytest.mark.parametrize("n", [40, 300])
def test_power_is_that_of_statsmodels(n):
    sd = power.paired_sd(0.2, 0.05)
    error = power.standard_error(n, sd)
    theirs = normal_power(0.05 / sd, n, 0.05)
    assert power.gain_power(0.05, error) == pytest.approx(theirs, abs=1e-9)


def test_items_are_those_of_statsmodels():
    sd = power.paired_sd(0.2, 0.05)
    theirs = NormalIndPower(ddof=0).solve_power(
        effect_size=0.05 / sd, alpha=0.05, power=0.8, ratio=0
    )
    assert power.items_for_gain(0.05, 0.2) == np.ceil(theirs)


def test_the_smallest_gain_is_found_four_times_of_five():
    error = power.standard_error(200, 0.4, run_sd=0.03, runs=3)
    found = power.minimum_detectable(error)
    assert power.gain_power(found, error) == pytest.approx(0.8, abs=1e-3)
    assert error == pytest.approx(np.sqrt(0.16 / 200 + 0.0009 / 3))


def test_equals_are_never_shown_equal_by_a_handful():
    assert power.equivalence_power(0.05, power.standard_error(20, 0.45)) == 0
    n = power.items_for_equivalence(0.05, 0.2)
    error = power.standard_error(n, power.paired_sd(0.2))
    assert power.equivalence_power(0.05, error) == pytest.approx(0.8, abs=1e-3)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="discordance"):
        power.paired_sd(0.1, 0.2)


def test_a_sentence_before_the_run():
    assert power.foreseen(100, margin=0.05) == (
        "100 items, where the two disagree on 20%: 4 of 5 true gains of 12.5 points "
        "are found; that cannot show that two are equal within 5 points, which takes "
        "686"
    )
    assert "can show that two are equal within 5 points" in power.foreseen(
        700, margin=0.05
    )


def pairs(n, *, discordance, delta, draw):
    """Single answers of two models that disagree so often, with a mean difference."""
    up, down = (discordance + delta) / 2, (discordance - delta) / 2
    move = draw.choice([1, -1, 0], size=n, p=[up, down, 1 - up - down])
    before = np.where(move == 0, draw.random(n) < 0.4, move < 0).astype(float)
    return before, before + move


@pytest.mark.slow
@pytest.mark.parametrize(("n", "delta"), [(100, 0.1), (300, 0.05), (300, 0.08)])
def test_power_comes_true(n, delta):
    draw = np.random.default_rng(n)
    found = [
        paired_gain(*pairs(n, discordance=0.2, delta=delta, draw=draw), rng_seed=1)
        for _ in range(1000)
    ]
    error = power.standard_error(n, power.paired_sd(0.2, delta))
    told = np.mean([one.verdict == "better" for one in found])
    assert told == pytest.approx(power.gain_power(delta, error), abs=0.03)


@pytest.mark.slow
def test_equals_are_shown_equal_as_often_as_foreseen():
    draw, n = np.random.default_rng(5), 686
    told = [
        equivalence(*pairs(n, discordance=0.2, delta=0, draw=draw), margin=0.05).holds
        for _ in range(2000)
    ]
    assert np.mean(told) == pytest.approx(0.8, abs=0.03)
    edge = [  # at the margin itself "equal" is wrong, once in twenty
        equivalence(
            *pairs(n, discordance=0.2, delta=0.05, draw=draw), margin=0.05
        ).holds
        for _ in range(2000)
    ]
    assert np.mean(edge) <= 0.065
