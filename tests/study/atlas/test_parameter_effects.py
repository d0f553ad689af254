"""What each parameter of a sweep does."""

import itertools

import numpy as np
import pytest

from phi_kit.stats.shared_items import SharedItems
from phi_kit.study.atlas import parameter_effects
from phi_kit.study.atlas.parameter_effects import effects, seed_spreads, varied

N = 100


def rows_of(settings, accuracy):
    """Answers to `N` items; those of a lower number are easier."""
    draw = np.random.default_rng(3)
    hard = np.linspace(0, 1, N)
    noise = draw.normal(0, 0.05, (len(settings), N))
    levels = np.array([[accuracy(sets)] for sets in settings])
    return (hard + noise < levels).astype(float)


GRID = [
    {"a.lr": lr, "a.rank": rank, "rng_seed": seed, "a.style": "steps"}
    for lr, rank, seed in itertools.product((0.01, 0.001), (4, 16), (1, 2, 3))
]


def found(settings, accuracy):
    rows = rows_of(settings, accuracy)
    return effects(settings, rows, SharedItems(N, rng_seed=7))


def test_variants_that_differ_in_one_parameter_alone_are_paired():
    lr, rank = found(GRID, lambda sets: 0.3 + 20 * sets["a.lr"])
    assert (lr.path, lr.reference, lr.value, lr.pairs) == ("a.lr", "0.001", "0.01", 6)
    assert lr.gain.low < 0.18 < lr.gain.high
    assert lr.gain.delta == pytest.approx(0.18, abs=0.03)
    assert lr.verdict == "better"
    assert (rank.path, rank.pairs, rank.verdict) == ("a.rank", 6, "cannot tell")
    assert rank.gain.low < 0 < rank.gain.high


@pytest.mark.slow
def test_a_pair_that_is_missing_is_left_out():
    settings = GRID[:-1]
    lr, _ = found(settings, lambda sets: 0.5)
    assert lr.pairs == 5


@pytest.mark.slow
def test_of_random_draws_groups_are_compared_and_it_says_so():
    draw = np.random.default_rng(1)
    settings = [{"a.lr": float(x), "a.x": float(y)} for x, y in draw.random((40, 2))]
    lr, other = found(settings, lambda sets: 0.2 + 0.5 * (sets["a.lr"] > 0.5))
    assert (lr.pairs, lr.verdict) == (0, "better")
    assert lr.value.startswith("above 0.")
    assert other.verdict == "cannot tell"


def test_a_random_seed_is_no_parameter_but_a_spread():
    rows = rows_of(GRID, lambda sets: 0.3 + 0.1 * sets["rng_seed"])
    spreads = seed_spreads(GRID, [row[None] for row in rows])
    assert len(spreads) == 4
    assert [len(one.accuracies) for one in spreads] == [3] * 4
    assert spreads[0].sets == {"a.lr": 0.01, "a.rank": 4}
    assert parameter_effects.deviation_over_seeds(spreads) == pytest.approx(
        0.1, abs=0.02
    )
    assert parameter_effects.deviation_over_seeds([]) is None
    # Several training runs of one variant are a spread, too.
    (own,) = seed_spreads([{"a.lr": 1}], [np.array([[0.0, 1.0], [1.0, 1.0]])])
    assert own.accuracies == [0.5, 1.0]


def test_what_all_set_alike_does_not_vary():
    assert varied(GRID) == ["a.lr", "a.rank", "rng_seed"]
    assert varied([{"a": 1}, {}]) == ["a"]
    assert found([{"a": 1}], lambda sets: 0.5) == []
