"""Which rows an arm trains on, how often, and what it costs."""

import itertools

import pandas as pd
import pytest

from phi_kit.core.errors import StudyError
from phi_kit.data.records import Seed
from phi_kit.training.arms import (
    GridSearch,
    epochs_of,
    random_subset,
    responses_of_arm,
    rows_of_arm,
    trained_tokens,
)
from phi_kit.training.encoding import TrainingRow, encode
from phi_kit.training.training_config import TrainingConfig

POOL = pd.DataFrame(
    {
        "id": list("abcdef"),
        "tier": ["teachable", "frontier", "easy", "suspect", "teachable", "teachable"],
        "place": ["inside", "below", "above", "below", "inside", "below"],
        "responses": [2, 1, 1, 1, 0, 1],
        "own_responses": [1, 0, 1, 0, 1, 0],
        "control": [True, False, True, False, False, False],
        "unfiltered": [False, True, False, True, True, False],
    }
)
RESPONSES = pd.DataFrame(
    [
        # seed, text, rank, kept, own
        ("a", "second", 2, True, False),
        ("a", "first", 1, True, False),
        ("a", "my own", 1, False, True),
        ("b", "how b is done", 1, True, False),
        ("b", "wrong", 0, False, False),
        ("c", "I can do c", 1, True, True),
        ("e", "mine, of one without another", 1, False, True),
        ("f", "how f is done", 1, True, False),
    ],
    columns=["seed_id", "text", "rank", "kept", "own"],
)


@pytest.mark.parametrize(
    ("arm", "rows"),
    [
        ("teachable", "af"),
        ("teachable+frontier", "abf"),
        ("random", "ac"),
        ("unfiltered", "bd"),
        ("sometimes", "a"),
        ("never", "bf"),
        ("gap", "abf"),
        ("own", "ace"),
    ],
)
def test_an_arms_rows(arm, rows):
    assert "".join(rows_of_arm(POOL, arm).id) == rows


def test_an_arm_trains_on_the_kept_responses_by_their_rank():
    assert responses_of_arm(POOL, RESPONSES, "teachable") == [
        ("a", "first"),
        ("a", "second"),
        ("f", "how f is done"),
    ]


def test_the_arm_of_ones_own_responses_trains_on_nobody_elses():
    texts = [text for _, text in responses_of_arm(POOL, RESPONSES, "own")]
    assert texts == ["my own", "I can do c", "mine, of one without another"]


def test_a_smaller_dose_lies_within_a_larger_one():
    rows = list(range(40))
    doses = [random_subset(rows, share, rng_seed=1) for share in (0.01, 0.25, 0.5, 1)]
    assert [len(dose) for dose in doses] == [1, 10, 20, 40]
    assert all(set(a) <= set(b) for a, b in itertools.pairwise(doses))
    assert doses[-1] == rows
    assert random_subset(rows, 0.25, rng_seed=2) != doses[1]


SEEDS = [
    Seed("math", "a", "1", family="sum", source="mine"),
    Seed("math", "b", "2", family="gcd", source="mine"),
    Seed("math", "c", "3", family="gcd", source="theirs"),
]


def test_weights_go_by_family_then_by_source():
    recipe = TrainingConfig(epochs=3, weights={"gcd": 1, "mine": 2})
    assert epochs_of(SEEDS, recipe) == [2, 1, 1]
    assert epochs_of(SEEDS, TrainingConfig(epochs=4)) == [4, 4, 4]
    with pytest.raises(StudyError, match=r"'gdc' is no family.*did you mean 'gcd'"):
        epochs_of(SEEDS, TrainingConfig(weights={"gdc": 1}))
    assert epochs_of(SEEDS, TrainingConfig(weights={"x": 1}), names=[]) == [3, 3, 3]


def test_the_cost_of_an_arm_leaves_out_what_is_too_long(tiny):
    rows = [
        TrainingRow("Say.", "7"),
        TrainingRow("Say.", "7 " * 40),
        TrainingRow("Say. " * 30, "7"),
    ]
    sizes = [encode(tiny, row).trained for row in rows]
    assert (
        trained_tokens(tiny, rows, [2, 1, 1], most=1000)
        == 2 * sizes[0] + sizes[1] + sizes[2]
    )
    assert trained_tokens(tiny, rows, [2, 1, 1], most=60) == 2 * sizes[0]


def test_a_search_tries_every_combination():
    own = TrainingConfig(epochs=2)
    search = GridSearch(learning_rate=[1e-3, 1e-4], weights=[{}, {"gcd": 1.0}])
    found = list(search.configs(own))
    assert [(one.learning_rate, one.weights) for one in found] == [
        (1e-3, {}),
        (1e-3, {"gcd": 1}),
        (1e-4, {}),
        (1e-4, {"gcd": 1}),
    ]
    assert {one.rank for one in found} == {16}
    assert search
    assert not GridSearch()
