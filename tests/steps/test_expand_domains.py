"""Step 6: every adapter on every domain, beside what guessing gives."""

import pandas as pd
import pytest

from phi_kit.stats.comparison import NOT_CONSTANT
from phi_kit.steps.expand_domains import GUESS, compare_adapters

ITEMS = {
    ("base", "math"): [0.0] * 50 + [1.0] * 10,
    (GUESS, "math"): [1.0] * 30 + [0.0] * 30,
    ("math", "math"): [1.0] * 30 + [0.0] * 20 + [1.0] * 10,
    ("merged", "math"): [1.0] * 60,
    ("little", "math"): [1.0] * 20 + [0.0] * 30 + [1.0] * 10,
}


@pytest.fixture(scope="module")
def cells():
    return compare_adapters(ITEMS, rng_seed=7).set_index("adapter")


def test_the_guesser_is_measured_as_an_adapter_is(cells):
    guess = cells.loc[GUESS]
    assert guess.accuracy == 0.5
    assert guess.delta == pytest.approx(0.5 - 10 / 60)
    assert guess.delta_low < guess.delta < guess.delta_high
    assert guess.verdict == ""
    assert set(cells.guess) == {0.5}


def test_base_is_not_compared_with_itself(cells):
    assert pd.isna(cells.loc["base"].delta)
    assert cells.loc["base"].verdict == ""


def test_a_gain_that_guessing_gives_is_not_better(cells):
    assert cells.loc["little"].verdict == NOT_CONSTANT
    assert cells.loc["math"].verdict == "better"
    assert cells.loc["merged"].verdict == "better"
