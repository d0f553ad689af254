"""Votes: equal answers have one name; shares, ties, entropy over all samples."""

import math

import pandas as pd
import pytest

from phi_kit import domains
from phi_kit.data.records import Seed
from phi_kit.selection.voting import (
    RIGHT,
    grouped_answers,
    judged_answers,
    mean_of_known,
    vote,
)
from phi_kit.verifiers import choice, exact
from phi_kit.verifiers.math import numeric, verifier


def test_right_answers_are_one_and_wrong_ones_are_told_apart():
    samples = pd.DataFrame(
        {
            "verdict": ["right", "right", "wrong", "wrong", "wrong", "unknown"],
            "extracted": ["1/2", "0.5", "2", "2.0", "", "Two"],
        }
    )
    assert judged_answers(samples) == [RIGHT, RIGHT, "2", "2", "", "two"]


@pytest.mark.parametrize(
    ("verifier", "prompt", "texts", "answers"),
    [
        (
            numeric.verify,
            "?",
            ["0.5", "The answer is 1/2.", "7", "no idea", "It is .50"],
            ["0.5", "0.5", "7", "", "0.5"],
        ),
        (
            exact.verify,
            "Which city?",
            ["Paris.", "paris", "**Answer:** Lyon", "Lyon"],
            ["Paris", "Paris", "Lyon", "Lyon"],
        ),
        (
            choice.verify,
            "Which?\nA) red\nB) blue",
            ["B", "The answer is B.", "B) blue", "A", ""],
            ["B", "B", "B", "A", ""],
        ),
        (choice.verify, "Is it?", ["Yes.", "yes", "No"], ["Yes", "Yes", "No"]),
        (
            verifier.verify,
            "?",
            [r"\boxed{\frac{1}{2}}", "0.5", r"So $x^2$ it is: \boxed{x^2}"],
            [r"\frac{1}{2}", r"\frac{1}{2}", "x^2"],
        ),
    ],
    ids=["numbers", "words", "letters", "yes or no", "math"],
)
def test_equal_answers_have_one_name(verifier, prompt, texts, answers):
    assert grouped_answers(Seed("d", prompt, ""), texts, verifier) == answers


def test_the_seeds_own_answer_is_not_looked_at():
    seed = Seed("math", "What is 3 + 4?", "7")
    assert grouped_answers(seed, ["7", "8", "8"], numeric.verify) == ["7", "8", "8"]


def test_every_domain_can_vote_on_its_own_golds():
    from itertools import islice

    from phi_kit.data.generators import generate_items

    for name in ("math", "puzzles", "stem"):
        domain = domains.get(name)
        for family in domain.chosen():
            for seed in islice(
                generate_items(name, family, rng_seed=5, split="train"), 3
            ):
                found = grouped_answers(seed, [seed.answer] * 2, domain.verifier)
                assert found[0] == found[1] != "", (name, family.name, seed.answer)


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
