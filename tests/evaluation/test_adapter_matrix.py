"""Every adapter on every domain, beside what guessing gives."""

import pandas as pd
import pytest

from phi_kit.data.records import Seed
from phi_kit.evaluation.adapter_matrix import GUESS, compare_adapters, item_table
from phi_kit.stats.comparison import NOT_CONSTANT

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


def test_every_item_of_every_adapter_has_a_row():
    seeds = [Seed("math", f"What is {n}?", str(n)) for n in range(60)]
    table = item_table(ITEMS, {"math": seeds})
    assert len(table) == 60 * len(ITEMS)
    little = table[table.adapter == "little"]
    assert little.seed_id.tolist() == [seed.id for seed in seeds]
    assert little.accuracy.tolist() == ITEMS["little", "math"]
