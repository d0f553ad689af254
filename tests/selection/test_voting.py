"""What samples answer: one name for equal answers, by the domain's own verifier."""

import pandas as pd
import pytest

from phi_kit import domains
from phi_kit.data.records import Seed
from phi_kit.selection.voting import RIGHT, judged, unjudged
from phi_kit.verifiers import choice, exact, numeric
from phi_kit.verifiers.math import verifier


def test_right_answers_are_one_and_wrong_ones_are_told_apart():
    samples = pd.DataFrame(
        {
            "verdict": ["right", "right", "wrong", "wrong", "wrong", "unknown"],
            "extracted": ["1/2", "0.5", "2", "2.0", "", "Two"],
        }
    )
    assert judged(samples) == [RIGHT, RIGHT, "2", "2", "", "two"]


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
    assert unjudged(Seed("d", prompt, ""), texts, verifier) == answers


def test_the_seeds_own_answer_is_not_looked_at():
    seed = Seed("math", "What is 3 + 4?", "7")
    assert unjudged(seed, ["7", "8", "8"], numeric.verify) == ["7", "8", "8"]


def test_every_domain_can_vote_on_its_own_golds():
    from itertools import islice

    from phi_kit.data.generators import items

    for name in ("math", "puzzles", "stem"):
        domain = domains.get(name)
        for family in domain.chosen():
            for seed in islice(items(name, family, rng_seed=5, split="train"), 3):
                found = unjudged(seed, [seed.answer] * 2, domain.verifier)
                assert found[0] == found[1] != "", (name, family.name, seed.answer)
