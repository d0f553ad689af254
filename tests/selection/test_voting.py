"""Votes: shares, ties, entropy over all samples."""

import math

import pytest

from phi_kit.selection.voting import mean_of_known, vote


def test_a_clear_plurality():
    found = vote(["7", "7", "7", "8"])
    assert (found.answer, found.share, found.margin, found.n) == ("7", 0.75, 0.5, 4)
    assert found.entropy == pytest.approx(0.811, abs=1e-3)


def test_no_answer_is_no_vote_but_counts():
    found = vote(["", "", "", "8"])
    assert (found.answer, found.share, found.margin) == ("8", 0.25, 0.25)
    assert not found.reaches(0.6, 0.2)


@pytest.mark.parametrize("answers", [[], ["", ""]])
def test_nothing_answered(answers):
    found = vote(answers)
    assert (found.answer, found.share, found.entropy) == ("", 0, 0)
    assert not found.reaches(0, 0)


def test_the_first_seen_wins_a_tie_and_is_not_sure():
    found = vote(["b", "a", "a", "b"])
    assert (found.answer, found.margin, found.entropy) == ("b", 0, 1)
    assert not found.reaches(0.5, 0.2)
    assert found.reaches(0.5, 0)


def test_thresholds_hold_where_floats_fall_short():
    assert vote(["a", "a", "a", "b", "c"]).reaches(0.6, 0.4)  # 3/5 - 1/5 is below .4
    assert not vote(["a", "a", "b", "c", "d"]).reaches(0.6, 0.2)


def test_means_of_what_is_known():
    assert mean_of_known([None, -1.0, float("nan"), -2.0]) == -1.5
    assert math.isnan(mean_of_known([None]))
