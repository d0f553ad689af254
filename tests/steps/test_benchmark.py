"""Step 7's verdicts: against base, and against what guessing gives."""

import pandas as pd
import pytest

from phi_kit.data.records import Seed
from phi_kit.stats.comparison import NOT_CONSTANT
from phi_kit.steps import benchmark

K = 3
PARAMS = benchmark.Params(samples=K)
# Two families of 40: every gold of `lop` is 1 but ten, those of `even` differ.
ITEMS = [
    Seed("d", f"{family} {place}", gold, family=family, level=level)
    for level, family, golds in (
        (1, "lop", ["1"] * 30 + ["2"] * 10),
        (2, "even", [str(n) for n in range(40)]),
    )
    for place, gold in enumerate(golds)
]
GUESS = [float(s.family == "lop" and s.answer == "1") for s in ITEMS]


def samples(answer):
    """What a model says: `answer` maps an item to its words."""
    return pd.DataFrame(
        [
            {
                "seed_id": seed.id,
                "sample": place,
                "extracted": answer(seed),
                "verdict": "right" if answer(seed) == seed.answer else "wrong",
                "finish": "stop",
                "tokens": 2,
            }
            for seed in ITEMS
            for place in range(K)
        ]
    )


def outcome(final):
    base = samples(lambda seed: "3")
    return benchmark.TestedDomain("d", ITEMS, base, samples(final), GUESS)


def always_one(seed):
    return "1"


def half_of_all(seed):
    return seed.answer if int(seed.prompt.split()[1]) % 2 else "no"


def solves(seed):
    return seed.answer


@pytest.mark.parametrize(
    ("model", "verdict"),
    [(always_one, NOT_CONSTANT), (half_of_all, NOT_CONSTANT), (solves, "better")],
)
def test_a_model_has_to_beat_the_constant_too(model, verdict):
    rows = benchmark.compare_models(outcome(model), params=PARAMS)
    assert [row["metric"] for row in rows] == ["pass@1", "maj@3"]
    assert {row["verdict"] for row in rows} == {verdict}
    assert {row["guess"] for row in rows} == {30 / 80}
    assert all(row["delta"] > 0.3 for row in rows)


def test_families_show_where_a_gain_lies():
    easy, hard = benchmark.compare_families(outcome(half_of_all), params=PARAMS)
    assert (easy["family"], easy["n"], hard["family"], hard["n"]) == (
        "lop",
        40,
        "even",
        40,
    )
    assert easy["guess"] == 0.75
    assert easy["verdict"] == NOT_CONSTANT
    assert hard["guess"] == 0
    assert hard["verdict"] == "better"
    assert hard["final"] == 0.5
    assert hard["final_low"] < 0.5 < hard["final_high"]


def test_a_model_that_loses_is_worse_whatever_guessing_gives():
    swapped = benchmark.TestedDomain(
        "d", ITEMS, samples(solves), samples(always_one), GUESS
    )
    assert benchmark.compare_models(swapped, params=PARAMS)[0]["verdict"] == "worse"


def voted(*answers):
    """Samples of the first item, whose gold is 1; `cut` answers hold nothing."""
    return pd.DataFrame(
        {
            "seed_id": ITEMS[0].id,
            "sample": range(len(answers)),
            "extracted": answers,
            "verdict": ["right" if one in ("1", "1.0") else "wrong" for one in answers],
        }
    )


@pytest.mark.parametrize(
    ("answers", "right"),
    [
        (("1", "1", "2"), 1.0),
        (("2", "1", "2"), 0.0),
        (("", "", "1"), 1.0),  # an empty answer has no vote
        (("", "", ""), 0.0),
        (("3",), 0.0),
    ],
)
def test_the_most_frequent_answer_counts(answers, right):
    assert benchmark.by_majority(voted(*answers), ITEMS[:1]) == [right]


def test_majority_keeps_the_order_of_the_items():
    answers = samples(half_of_all)
    shuffled = answers.sample(frac=1, random_state=3)
    expected = [float(half_of_all(seed) == seed.answer) for seed in ITEMS]
    assert benchmark.by_majority(shuffled, ITEMS) == expected
