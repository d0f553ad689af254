"""Step 5: which made rows join the mix."""

from collections import Counter

import pytest

from phi_kit.data.records import Seed
from phi_kit.steps.synthesize import Candidate, Params, balance, solution_fault


def made(answers, *, kind="synthetic"):
    return [
        Candidate(Seed("math", f"made {place}", answer), answer, kind, "swap")
        for place, answer in enumerate(answers)
    ]


def organic(answers):
    return [Seed("math", f"seed {n}", answer) for n, answer in enumerate(answers)]


def test_the_organic_share_is_kept():
    params = Params(organic_share=0.5)
    chosen = balance(made("123" * 20), organic("1234"), params)
    assert len(chosen) == 4
    assert len(balance(made("12"), organic("1234"), params)) == 2


def test_rare_answers_come_first():
    rows = made("1" * 80 + "2" * 10 + "3" * 10)
    chosen = balance(rows, organic("1" * 10), Params(organic_share=0.25))
    counts = Counter(row.seed.answer for row in chosen)
    assert counts == {"2": 10, "3": 10, "1": 10}


def test_the_choice_is_repeatable_and_keeps_the_order():
    rows, params = made("12345678" * 5), Params(organic_share=0.5, rng_seed=3)
    first = balance(rows, organic("9" * 8), params)
    assert first == balance(rows, organic("9" * 8), params)
    places = [rows.index(row) for row in first]
    assert places == sorted(places)
    assert first != balance(rows, organic("9" * 8), Params(organic_share=0.5))


@pytest.mark.parametrize(
    ("prompt", "answer", "said", "reason"),
    [
        ("6 - 3 =", "3", "6 is divisible by 3.", "a step does not hold"),
        ("0 + 9 =", "9", "1 + 9 = 9", "a step does not hold"),
        ("What is 2 + 3?", "5", "2 + 3 = 5", None),
        ("What is 2 + 3?", "5", "5", "same as the gold"),
        ("What is 2 + 3?", "5", "The answer is 5.", None),
    ],
)
def test_a_right_answer_after_a_wrong_step_is_not_taught(prompt, answer, said, reason):
    own = Candidate(Seed("math", prompt, answer), said, "self", "own solution")
    found = solution_fault(own)
    assert found == reason
    if reason == "a step does not hold":
        assert "=" in found.detail
