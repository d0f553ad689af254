"""Equal answers have one name, and vote together."""

import pandas as pd
import pytest

from phi_kit import domains
from phi_kit.data.records import Seed
from phi_kit.evaluation.equal_answers import (
    RIGHT,
    grouped_answers,
    judged_answers,
    majority_is_right,
    voted_answers,
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


HALF = Seed("math", "What is 1 / 2?", "0.5")


def said(*texts):
    """Samples of `HALF`, judged by its domain."""
    verdicts = [numeric.verify(HALF, text) for text in texts]
    return pd.DataFrame(
        {
            "text": texts,
            "extracted": [verdict.extracted for verdict in verdicts],
            "verdict": [verdict.value for verdict in verdicts],
        }
    )


@pytest.mark.parametrize(
    ("texts", "right"),
    [
        (("1/2", "0.5", "2", "3"), 1.0),  # two spellings of one answer
        (("0.5", "1/3", "2/6"), 0.0),  # and so are two of a wrong one
        (("1/3", "0.5", "2/6", ".50", "1/2"), 1.0),
        (("0.5", "2"), 1.0),  # the first seen wins a tie
        (("2", "0.5"), 0.0),
        (("no idea", "none", "0.5"), 1.0),
        (("no idea",), 0.0),
    ],
)
def test_a_majority_is_one_of_equal_answers_not_of_texts(texts, right):
    assert majority_is_right(HALF, said(*texts), numeric.verify) == right


def test_where_the_verifier_cannot_say_answers_that_read_alike_are_one():
    samples = said("0.5", "2", "2.0", "3")
    never = lambda seed, text: exact.verify(Seed("", "", "nothing"), text)  # noqa: E731
    assert voted_answers(HALF, samples, never) == [RIGHT, "2", "2", "3"]
    assert voted_answers(HALF, samples) == [RIGHT, "2", "2", "3"]
