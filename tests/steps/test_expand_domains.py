"""Step 6: every adapter on every domain, beside what guessing gives."""

import pandas as pd
import pytest
from pydantic import ValidationError

from phi_kit.data.records import Seed
from phi_kit.stats.comparison import NOT_CONSTANT
from phi_kit.steps.expand_domains import (
    GUESS,
    Params,
    adapter_plan,
    compare_adapters,
    final_adapters,
    item_table,
    training_plan,
)

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


def test_the_plan_trains_each_alone_then_all():
    plan = training_plan(Params(domains=["math", "puzzles"], rng_seed=3))
    assert [(job.name, job.domains, job.rng_seed) for job in plan] == [
        ("math", ["math"], 3),
        ("puzzles", ["puzzles"], 3),
        ("math+puzzles", ["math", "puzzles"], 3),
    ]


def test_further_seeds_train_the_merged_adapter_again():
    params = Params(domains=["math", "puzzles"], train_seeds=[1, 2, 3], sequence=True)
    plan = training_plan(params)
    assert [(job.name, job.rng_seed, job.in_turn) for job in plan] == [
        ("math", 1, False),
        ("puzzles", 1, False),
        ("math+puzzles", 1, False),
        ("math+puzzles@2", 2, False),
        ("math+puzzles@3", 3, False),
        ("math-then-puzzles", 1, True),
    ]
    assert final_adapters(params) == [
        "math+puzzles",
        "math+puzzles@2",
        "math+puzzles@3",
    ]


def test_with_one_domain_the_final_adapter_is_its_own():
    assert adapter_plan(["math"]) == {"math": ["math"]}
    params = Params(domains=["math"], sequence=True)
    assert [job.name for job in training_plan(params)] == ["math"]
    assert final_adapters(params) == ["math"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"primary": "coding"}, "primary: 'coding' is none of math, puzzles"),
        ({"train_seeds": [1, 1]}, "names one twice"),
        ({"replay": 0.1}, "replay needs sequence"),
        ({"margin": 0.0}, "greater than 0"),
    ],
)
def test_what_cannot_be_asked_for(given, said):
    with pytest.raises(ValidationError, match=said):
        Params(domains=["math", "puzzles"], **given)


def test_the_rule_is_the_studys():
    rule = Params(margin=0.1, primary="math").rule
    assert rule.as_dict() == {
        "margin": 0.1,
        "primary": "math",
        "level": 0.05,
        "stopping": rule.stopping,
    }
