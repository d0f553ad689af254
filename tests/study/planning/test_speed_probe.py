"""What a short probe makes of what it saw."""

import pytest

from phi_kit.study.planning.speed_probe import (
    MAX_TOKENS,
    EnoughError,
    ProbedDomain,
    StepClock,
)


def test_long_answers_cost_what_they_may_take():
    cut = ProbedDomain(samples=4, tokens=MAX_TOKENS + 30, truncated=1)
    assert cut.tokens_each(2048) == pytest.approx(30 / 4 + 2048 / 4)
    short = ProbedDomain(samples=4, tokens=8 + 15, truncated=1, limit=8)
    assert short.tokens_each(8) == pytest.approx(23 / 4)
    assert short.tokens_each(512) == pytest.approx(15 / 4 + 512 / 4)
    assert ProbedDomain(samples=4, tokens=40).tokens_each(2048) == 10
    assert ProbedDomain(samples=4, tokens=40).tokens_each(8) == 8
    assert ProbedDomain().tokens_each(16) == 16


def test_a_step_that_is_told_twice_counts_once():
    clock = StepClock(seconds=60)
    for step, rate in ((1, 10), (1, 10), (2, 100), (2, 100)):
        clock.watch({"step": step, "tokens": 50, "tokens_per_second": rate})
    assert clock.tps == 100


def test_the_probe_stops_after_its_time_but_not_before_its_second_step():
    clock = StepClock(seconds=0)
    clock.watch({"step": 1, "tokens": 50, "tokens_per_second": 10})
    with pytest.raises(EnoughError):
        clock.watch({"step": 2, "tokens": 50, "tokens_per_second": 10})
