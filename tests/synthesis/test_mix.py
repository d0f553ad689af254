"""Which made rows join the mix, and which solutions of the student's own."""

from collections import Counter

import pandas as pd
import pytest

from phi_kit.data.records import Seed
from phi_kit.responses.choose import AGAIN
from phi_kit.steps.synthesize import Params
from phi_kit.synthesis.gates import MixRow
from phi_kit.synthesis.mix import balance, own_solutions, solution_fault


def made(answers, *, kind="synthetic"):
    return [
        MixRow(Seed("math", f"made {place}", answer), answer, kind, "swap")
        for place, answer in enumerate(answers)
    ]


def seeds_of(answers):
    return [Seed("math", f"seed {n}", answer) for n, answer in enumerate(answers)]


def organic(answers):
    return [(seed, seed.answer) for seed in seeds_of(answers)]


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
    own = MixRow(Seed("math", prompt, answer), said, "self", "own solution")
    found = solution_fault(own, set())
    assert found == reason
    if reason == "a step does not hold":
        assert "=" in found.detail


def test_what_an_organic_row_teaches_already_is_not_taught_twice():
    seed = Seed("math", "What is 2 + 3?", "5")
    own = MixRow(seed, "2 + 3 = 5\nAnswer: 5", "self", "own solution")
    assert solution_fault(own, {(seed.id, own.completion)}) == AGAIN
    assert solution_fault(own, {("another", own.completion)}) is None


def sampled(seed, *answers):
    """Samples of one seed: text, tokens, verdict and why it ended."""
    return [
        {
            "seed_id": seed.id,
            "sample": place,
            "text": text,
            "tokens": tokens,
            "verdict": verdict,
            "finish": finish,
        }
        for place, (text, tokens, verdict, finish) in enumerate(answers)
    ]


class Edge(dict):
    """Step 3's tables by name."""

    table = dict.__getitem__


def test_the_own_solution_is_the_shortest_right_and_finished_one():
    solved, unsolved, truncated = seeds_of("579")
    samples = pd.DataFrame(
        sampled(
            solved,
            ("so 5, after a long way", 9, "right", "stop"),
            ("4", 1, "wrong", "stop"),
            ("2 + 3 = 5", 5, "right", "stop"),
            ("3 + 2 = 5", 5, "right", "stop"),
            ("5 and", 2, "right", "length"),
        )
        + sampled(unsolved, ("6", 1, "wrong", "stop"))
        + sampled(truncated, ("9 so", 2, "right", "length"))
    )
    edge = Edge(samples=samples)
    (own,) = own_solutions(edge, [unsolved, solved, truncated], "answer")
    assert own.completion == "2 + 3 = 5"  # of equals the first
    assert (own.kind, own.seed.parent) == ("self", solved.id)
    assert (own.seed.prompt, own.seed.source) == (solved.prompt, "student")


def test_in_steps_the_own_solution_is_the_best_that_was_checked():
    """As a row would teach it, so that its answer is marked the study's way."""
    solved, unsolved = seeds_of("57")
    told = [
        (solved.id, "2 + 3 = 5\nAnswer: 5", 2, True),
        (solved.id, "I see 5.\nAnswer: 5", 1, True),
        (solved.id, "Answer: 5", 0, False),
        (unsolved.id, "Answer: 6", 0, False),
    ]
    table = pd.DataFrame(told, columns=["seed_id", "text", "rank", "own"])
    (own,) = own_solutions(Edge(responses=table), [solved, unsolved], "steps")
    assert own.completion == "I see 5.\nAnswer: 5"
    assert own.seed.parent == solved.id
