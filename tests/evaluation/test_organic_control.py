"""Organic rows alone against the mix, item by item."""

from types import SimpleNamespace

from phi_kit.evaluation.organic_control import clashing_names, mix_over_organic

RUNS = {
    name: SimpleNamespace(rows=rows, trained_tokens=500)
    for name, rows in {"math": 30, "math-organic": 10, "puzzles": 20}.items()
}
ITEMS = {
    ("math", "math"): [1.0] * 60 + [0.0] * 40,
    ("math-organic", "math"): [1.0] * 40 + [0.0] * 60,
    ("puzzles", "puzzles"): [1.0] * 100,
}


def test_the_mix_is_held_against_organic_rows_item_by_item():
    (row,) = mix_over_organic(ITEMS, RUNS, ["math", "puzzles"], rng_seed=7)
    assert (row["domain"], row["mix"], row["organic"]) == ("math", 0.6, 0.4)
    assert row["low"] < row["delta"] < row["high"]
    assert abs(row["delta"] - 0.2) < 1e-9
    assert row["verdict"] == "better"
    assert (row["organic_rows"], row["mix_rows"], row["mix_tokens"]) == (10, 30, 500)


def test_a_domain_that_is_called_as_the_control_of_another_is_found():
    assert clashing_names(["math", "puzzles"]) == []
    assert clashing_names(["math", "math-organic"]) == ["math-organic"]
