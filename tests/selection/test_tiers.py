"""What step 3 says when nothing is teachable: too hard, or only the form fails."""

from __future__ import annotations

import pandas as pd
import pytest

from phi_kit.selection import tiers

ROWS = pd.DataFrame({"tier": ["frontier"] * 4, "responses": [1] * 4})


def samples(*readings):
    return pd.DataFrame(readings, columns=["verdict", "lenient"])


def test_the_form_fails():
    drawn = samples(("wrong", "right"), *[("wrong", "wrong")] * 3)
    error = tiers.no_teachable_error(ROWS, drawn)
    said = str(error)
    assert "0% of the samples are right strictly; 25% contain the gold" in said
    assert "the form fails" in said
    assert "`contains`" in said


@pytest.mark.parametrize(
    "drawn",
    [
        samples(*[("wrong", "wrong")] * 4),
        samples(*[("right", "right")] * 4),
        samples(("right", "right"), ("wrong", "right"), ("right", "right")),
    ],
)
def test_the_seeds_are_too_hard_or_too_easy(drawn):
    said = str(tiers.no_teachable_error(ROWS, drawn))
    assert "{'frontier': 4}" in said
    assert "leniently" in said
    assert "form fails" not in said


@pytest.mark.parametrize("tier", ["frontier", tiers.NO_RESPONSE])
def test_nobody_has_a_response_to_what_is_not_solved_yet(tier):
    rows = pd.DataFrame({"tier": [tier] * 3 + ["easy"], "responses": [0, 0, 0, 1]})
    # Leniently it solves some: still it is the responses that are lacking.
    drawn = samples(("wrong", "right"), *[("wrong", "wrong")] * 3)
    said = str(tiers.no_teachable_error(rows, drawn))
    assert "nobody has a right response to 3 that the student does not solve" in said
    assert "name a teacher" in said


@pytest.mark.parametrize("graded", [True, False])
def test_of_teachable_rows_both_places_are_kept_in_proportion(graded):
    """What is never solved is surest: by the risk alone nothing else would be kept."""
    rows = pd.DataFrame(
        {
            "place": ["below"] * 30 + ["inside"] * 60,
            "risk": [0.01] * 30 + [0.2 + n / 1000 for n in range(60)],
            "priority": 1.0 if graded else float("nan"),
        }
    )
    kept = rows.loc[tiers.first_rows(rows, 30)]
    assert kept.place.value_counts().to_dict() == {"below": 10, "inside": 20}
    assert kept.risk[kept.place == "inside"].max() < 0.2 + 20 / 1000
    best = rows.assign(priority=[2.0] * 5 + [1.0] * 80 + [2.0] * 5)
    assert set(tiers.first_rows(best, 10)) == {*range(5), *range(85, 90)}
    assert len(tiers.first_rows(rows, 200)) == 90


def rated(*seeds):
    names = ("tier", "right", "wrong", "cut", "n")
    places = {"teachable": "inside", "frontier": "below"}
    rows = [dict(zip(names, seed, strict=True)) for seed in seeds]
    return pd.DataFrame(
        [row | {"place": places[row["tier"]], "responses": 1} for row in rows]
    )


def test_a_handful_of_rows_is_refused_with_what_to_change():
    rows = rated(*[("teachable", 1, 3, 0, 4)] * 2, *[("frontier", 0, 4, 0, 4)] * 98)
    said = str(tiers.too_few_error(rows))
    assert "only 2 of 100 seeds are teachable" in said
    assert "collect more seeds" in said
    assert "teacher" not in said
    said = str(tiers.too_few_error(rows.assign(responses=0)))
    assert "nobody has a right response to 98: name a teacher" in said


def test_seeds_in_the_band_that_nobody_saw_solved_are_counted():
    rows = rated(
        ("teachable", 0, 1, 5, 6),
        ("teachable", 0, 0, 4, 4),
        ("teachable", 2, 2, 0, 4),
        ("teachable", 0, 9, 0, 9),  # never solved: a response makes it teachable
        ("frontier", 0, 9, 0, 9),
    ).assign(place=["inside", "inside", "inside", "below", "below"])
    said = tiers.never_solved_note(rows)
    assert said.startswith("2 of 3 seeds in the band were never seen solved")
    assert "9 of their 10 samples were cut off" in said
    assert tiers.never_solved_note(rows.tail(2)) == ""


def test_a_response_makes_teachable_what_the_student_never_solves():
    rows = pd.DataFrame(
        [
            ("frontier", 1, "teachable", "frontier"),
            ("frontier", 0, "frontier", "frontier"),
            ("teachable", 2, "teachable", "teachable"),
            ("teachable", 0, "no response", "no response"),
            ("easy", 1, "easy", "easy"),
            ("suspect", 1, "suspect", "suspect"),
        ],
        columns=["tier", "responses", "gap", "band"],
    )
    for rule in ("gap", "band"):
        assert tiers.assign_by_response(rows, rule).tolist() == rows[rule].tolist()
