"""The data order: every row as often as it should, equal trained tokens."""

from collections import Counter
from itertools import chain

import pytest

from phi_kit.training.data_order import (
    count_tokens,
    micro_batches,
    phases_in_turn,
    step_order,
)
from phi_kit.training.encoding import IGNORE_INDEX, EncodedRow


def row(prompt, answer):
    return EncodedRow([1] * (prompt + answer), [IGNORE_INDEX] * prompt + [1] * answer)


ROWS = [row(5 + i % 7, 1 + i % 4) for i in range(30)]


def times(steps):
    return Counter(chain.from_iterable(steps))


@pytest.mark.parametrize("batch", [1, 4, 30, 100])
def test_every_row_comes_once_an_epoch(batch):
    steps = step_order(ROWS, batch=batch, epochs=[3] * 30, rng_seed=1)
    assert times(steps) == dict.fromkeys(range(30), 3)
    assert max(map(len, steps)) == min(batch, 30)
    first = list(chain.from_iterable(steps))[:30]
    assert sorted(first) == list(range(30))  # no row again before all have come
    assert count_tokens(ROWS, steps)[1] == 3 * sum(r.trained for r in ROWS)


def test_the_order_hangs_on_the_seed():
    one, again, other = (
        step_order(ROWS, batch=4, epochs=[2] * 30, rng_seed=seed) for seed in (1, 1, 2)
    )
    assert one == again != other


def test_weights_are_epochs():
    epochs = [3.0] * 10 + [1.5] * 10 + [0.0] * 10
    steps = step_order(ROWS, batch=4, epochs=epochs, rng_seed=1)
    count = times(steps)
    assert [count[i] for i in range(10)] == [3] * 10
    assert sorted(count[i] for i in range(10, 20)) == [1] * 5 + [2] * 5
    assert not any(count[i] for i in range(20, 30))


@pytest.mark.parametrize("budget", [1, 7, 75, 500])
def test_a_budget_of_trained_tokens_is_met(budget):
    steps = step_order(ROWS, batch=4, epochs=[1] * 30, rng_seed=1, budget=budget)
    trained = count_tokens(ROWS, steps)[1]
    assert abs(trained - budget) <= 2  # half of the longest answer
    count = times(steps)
    assert max(count.values()) - min(count[i] for i in range(30)) <= 1


def test_a_budget_of_nothing_still_trains_something():
    assert len(step_order(ROWS, batch=4, epochs=[1] * 30, rng_seed=1, budget=0)) == 1


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("tokens", [1, 9, 20, 1000])
def test_micro_batches_hold_every_row_once_and_keep_to_the_limit(tokens, padded):
    parts = micro_batches(ROWS[:9], tokens=tokens, padded=padded)
    flat = sorted((len(r.ids), r.trained) for part in parts for r in part)
    assert flat == sorted((len(r.ids), r.trained) for r in ROWS[:9])
    for part in parts:
        widths = [len(r.ids) for r in part]
        size = len(part) * max(widths) if padded else sum(widths)
        assert size <= tokens or len(part) == 1
    if tokens == 1000:
        assert len(parts) == 1


def test_phases_come_one_after_another_and_show_each_row_as_often():
    rows = ROWS[:12]
    phases = [0] * 5 + [1] * 7
    steps = step_order(rows, batch=4, epochs=[2] * 12, rng_seed=3, phases=phases)
    seen = [index for step in steps for index in step]
    assert Counter(seen) == dict.fromkeys(range(12), 2)
    assert [phases[index] for index in seen] == [0] * 10 + [1] * 14
    with pytest.raises(ValueError, match="budget"):
        step_order(rows, batch=4, epochs=[1] * 12, rng_seed=3, phases=phases, budget=9)


def test_rows_held_back_are_seen_again_later_and_never_more_often():
    phases = phases_in_turn([100, 50, 30], replay=0.2, rng_seed=3)
    first, second, last = phases[:100], phases[100:150], phases[150:]
    assert Counter(first) == {0: 80, 1: 10, 2: 10}
    assert Counter(second) == {1: 40, 2: 10}
    assert Counter(last) == {2: 30}
    assert phases_in_turn([3, 2], replay=0, rng_seed=3) == [0, 0, 0, 1, 1]
