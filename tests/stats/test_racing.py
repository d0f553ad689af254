"""Races whose true gaps are known."""

import gc

import numpy as np
import pytest

from phi_kit.core.rng import rng
from phi_kit.stats.comparison import LEVEL
from phi_kit.stats.racing import RUN_SPREAD, Measurement, run_race, run_spread

RACES = 1000


@pytest.fixture(autouse=True)
def no_collecting(monkeypatch):
    """Statsmodels' correction collects garbage each time: of a race's time 19/20."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


def measured(draw, levels, *, looks=2, items=100, spread=0.02, fresh_items=False):
    """Rounds of contestants with these true accuracies.

    Items differ in difficulty, a contestant finds some items easier than others do,
    and each training run is a little better or worse than its recipe.
    """
    hard = draw.normal(0, 0.15, items)
    own = {name: draw.normal(0, 0.1, items) for name in levels}
    found = {name: [] for name in levels}
    for number in range(looks):
        if fresh_items:
            hard = draw.normal(0, 0.15, items)
            own = {name: draw.normal(0, 0.1, items) for name in levels}
        prefix = number if fresh_items else ""
        for name, level in levels.items():
            chance = level + hard + own[name] + draw.normal(0, spread)
            right = draw.random(items) < np.clip(chance, 0, 1)
            run = {f"{prefix}{i}": float(one) for i, one in enumerate(right)}
            found[name].append(Measurement([run]))
    return found


def dropped(levels, *, looks=2, races=RACES, **more):
    """How often each contestant is dropped, as a share of the races."""
    counts = dict.fromkeys(levels, 0)
    for number in range(races):
        draw = rng(7, "race", number, *levels.values())
        found = run_race(
            measured(draw, levels, looks=looks, **more),
            looks=looks,
            spread=more.get("spread", RUN_SPREAD),  # what the study has said of it
        )
        for name in found.dropped:
            counts[name] += 1
    return {name: count / races for name, count in counts.items()}


def names(*levels):
    return {f"v{n}": level for n, level in enumerate(levels)}


EQUALS = {
    "seeds": {},
    "items": {"fresh_items": True},
    "few items": {"items": 30},
    "three looks": {"looks": 3},
    "runs that move": {"spread": 0.03},
}


@pytest.mark.slow
@pytest.mark.parametrize("more", EQUALS.values(), ids=EQUALS)
def test_equals_are_kept(more):
    shares = dropped(names(*[0.4] * 6), **more)
    # Not only a given one of them: hardly any race drops anybody at all.
    assert sum(shares.values()) <= LEVEL


@pytest.mark.slow
def test_the_best_is_kept_beside_its_equal_and_worse_ones():
    shares = dropped(names(0.45, 0.45, 0.4, 0.3, 0.1, 0.1))
    assert shares["v0"] + shares["v1"] <= LEVEL


@pytest.mark.slow
def test_who_is_25_points_behind_is_dropped_and_the_best_is_not():
    shares = dropped(names(0.55, 0.3, 0.3, 0.3), races=200)
    assert min(shares[name] for name in ("v1", "v2", "v3")) > 0.9
    assert shares["v0"] == 0


def test_a_race_stops_where_somebody_is_not_measured():
    found = measured(rng(1, "x"), names(0.9, 0.8, 0.2), looks=3)
    short = {name: rounds[: 1 + (name == "v0")] for name, rounds in found.items()}
    result = run_race(short, looks=3)
    assert result.leaders == ["v0"]
    assert set(result.dropped) == {"v2"}
    assert (result.over, result.winner) == (False, "")
    # Who is out need not be measured again.
    del found["v2"][1:]
    result = run_race(found, looks=3)
    assert result.over
    assert result.winner == "v0"
    one = result.dropped["v2"]
    assert (one.look, one.leader, one.gain.n) == (1, "v0", 100)
    assert one.gain.high < 0
    assert one.p < one.p_holm < LEVEL


def test_who_failed_in_a_round_is_compared_by_the_others_and_leads_nobody():
    found = measured(rng(2, "x"), names(0.95, 0.9, 0.2))
    found["v0"][0] = None
    result = run_race(found, looks=2)
    assert result.leaders == ["v1", "v1"]
    assert set(result.dropped) == {"v2"}
    assert run_race({"a": [None], "b": [None]}, looks=1).leaders == [""]


def test_a_handful_of_items_decides_nothing():
    run = {str(n): 1.0 for n in range(9)}
    lost = dict.fromkeys(run, 0.0)
    found = {"a": [Measurement([run])], "b": [Measurement([lost])]}
    assert not run_race(found, looks=1).dropped
    other = {f"x{n}": 0.0 for n in range(100)}  # no item in common
    found["b"] = [Measurement([other])]
    assert not run_race(found, looks=1).dropped


def two_runs(first, second):
    """Two training runs on 100 items, right on so many of them."""
    shares = (first, second)
    return [Measurement([{str(i): float(i < n) for i in range(100)} for n in shares])]


def test_what_runs_show_of_their_spread_is_believed_where_it_is_more():
    steady = {"a": two_runs(80, 80), "b": two_runs(30, 30)}
    assert run_spread(steady.values()) == 0
    assert set(run_race(steady, looks=1).dropped) == {"b"}
    # The same accuracies, yet now one run of each says little of its recipe.
    wild = {"a": two_runs(100, 60), "b": two_runs(60, 0)}
    assert 0.2 < run_spread(wild.values()) < 0.5
    assert not run_race(wild, looks=1).dropped
    assert not run_race(steady, looks=1, spread=0.3).dropped
    assert run_spread([[None], [Measurement([{"a": 1.0}])]]) == 0
