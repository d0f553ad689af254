"""Additivity: merged against alone, held against a margin; every other pair as well."""

import pytest

from phi_kit.evaluation.additivity import foresight, interference, retention
from phi_kit.stats.paired_tests import EQUAL

HALF = [1.0] * 30 + [0.0] * 30
ITEMS = {
    ("math", "math"): HALF,
    ("puzzles", "puzzles"): HALF,
    ("math", "puzzles"): [1.0] * 60,  # another domain's adapter is no part of it
    ("math+puzzles", "math"): [0.0] * 60,
    ("math+puzzles", "puzzles"): HALF,
    ("math+puzzles@2", "math"): [0.0] * 60,
    ("math+puzzles@2", "puzzles"): [1.0] * 36 + [0.0] * 24,
}
BOTH = ["math", "puzzles"]


def test_retention_compares_the_merged_adapter_with_the_one_tuned_alone():
    rows = retention(ITEMS, BOTH, ["math+puzzles"], margin=0.05, rng_seed=7)
    math, puzzles = rows
    assert (math["domain"], math["alone"], math["merged"]) == ("math", 0.5, 0.0)
    assert math["delta"] == -0.5
    assert math["verdict"] == "worse"
    assert (puzzles["alone"], puzzles["merged"], puzzles["delta"]) == (0.5, 0.5, 0.0)
    # Sixty items without a flip still leave room for 6 points.
    assert puzzles["verdict"] == "cannot tell"
    assert {row["as_recipe"] for row in rows} == {"cannot tell"}  # one training run


def test_equal_is_said_of_a_margin_that_the_items_can_show():
    (_, puzzles) = retention(ITEMS, BOTH, ["math+puzzles"], margin=0.1, rng_seed=7)
    assert puzzles["verdict"] == EQUAL
    assert puzzles["equal_low"] > -0.1
    assert puzzles["equal_high"] < 0.1


def test_several_training_seeds_are_averaged_and_speak_for_the_recipe():
    finals = ["math+puzzles", "math+puzzles@2"]
    math, puzzles = retention(ITEMS, BOTH, finals, margin=0.05, rng_seed=7)
    assert math["as_recipe"] == "worse"
    assert puzzles["merged"] == pytest.approx(0.55)
    assert puzzles["verdict"] == "cannot tell"
    assert puzzles["needed"] > 60


def test_with_one_domain_merged_and_alone_are_one():
    (row,) = retention({("math", "math"): HALF}, ["math"], ["math"], margin=0.2,
                       rng_seed=7)  # fmt: skip
    assert row["alone"] == row["merged"] == 0.5
    assert row["delta"] == 0


def test_every_cell_off_the_diagonal_is_tested_and_corrected():
    items = {
        ("base", "math"): HALF,
        ("base", "puzzles"): HALF,
        ("math", "puzzles"): [0.0] * 60,
        ("puzzles", "math"): HALF,
    }
    lost, kept = interference(items, BOTH, rng_seed=7)
    assert (lost["trained_on"], lost["measured_on"]) == ("math", "puzzles")
    assert lost["verdict"] == "worse"
    assert lost["p_holm"] == pytest.approx(2 * lost["p"])
    assert kept["p"] == kept["p_holm"] == 1


def test_the_warning_grows_with_the_domains():
    assert foresight(1, 100, margin=0.05) == []
    two, four = (foresight(n, 100, margin=0.05) for n in (2, 4))
    assert "cannot show that two are equal within 5 points" in two[0]
    assert "2 pairs" in two[1]
    assert "below 13 points" in two[1]
    assert len(four) == 3
    assert "12 pairs" in four[1]
    assert "46%" in four[2]
