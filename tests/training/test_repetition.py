"""Loops are found wherever they stand; long repetitive texts are none."""

import numpy as np
import pytest

from phi_kit.training.repetition import COPIES, PERIOD, TOKENS, Loop, loops


def test_a_loop_is_named():
    line = [1, 2, 3, *([7, 8, 9, 10] * 20), 4]
    assert next(loops(line)) == Loop(start=3, period=4, copies=20)


@pytest.mark.parametrize("period", [1, 3, 48, PERIOD])
def test_loops_of_any_period(period):
    start = list(range(1000, 1020))
    body = list(range(period)) * max(COPIES, -(-TOKENS // period))
    found = next(loops(start + body))
    assert (found.start, found.period) == (20, period)


@pytest.mark.parametrize(
    "line",
    [
        [],
        [1],
        [1] * (TOKENS - 1),
        list(range(PERIOD)) * (COPIES - 1),
        list(range(3000)),
        [*range(100), *range(101)] * 2,
    ],
    ids=["empty", "one", "short", "few copies", "none", "nearly the same"],
)
def test_no_loops(line):
    assert list(loops(line)) == []


def test_random_text_has_none():
    draw = np.random.default_rng(1)
    for words in (2, 5, 50):
        line = draw.integers(words, size=4000).tolist()
        assert list(loops(line)) == []
