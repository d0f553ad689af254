"""Step 5: which made rows join the mix."""

from collections import Counter
from dataclasses import replace
from itertools import islice

import pandas as pd
import pytest

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.steps.synthesize import (
    Candidate,
    Params,
    balance,
    own_solutions,
    solution_fault,
    variants,
)


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


def test_the_own_solution_is_the_shortest_right_and_finished_one():
    solved, unsolved, truncated = organic("579")
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
    (own,) = own_solutions(samples, [unsolved, solved, truncated])
    assert own.completion == "2 + 3 = 5"  # of equals the first
    assert (own.kind, own.seed.parent) == ("self", solved.id)
    assert (own.seed.prompt, own.seed.source) == (solved.prompt, "student")


def test_every_chosen_transform_is_tried_on_every_seed():
    def twice(seed, rng_seed):
        prompts = (f"{seed.prompt} {rng_seed}", f"{seed.prompt} again")
        return [replace(seed, prompt=prompt, parent=seed.id) for prompt in prompts]

    def none(seed, rng_seed):
        return []

    domain = replace(
        domains.get("math"), transforms={"twice": twice, "none": none, "more": twice}
    )
    seeds = organic("12")
    made_rows = list(variants(domain, seeds, Params(rng_seed=3)))
    assert [row.by for row in made_rows] == ["twice"] * 4 + ["more"] * 4
    assert [row.seed.parent for row in made_rows[:4]] == [
        seeds[0].id,
        seeds[0].id,
        seeds[1].id,
        seeds[1].id,
    ]
    assert made_rows[0].seed.prompt == "seed 0 3"
    assert all(row.completion == row.seed.answer for row in made_rows)
    assert {row.kind for row in made_rows} == {"synthetic"}
    chosen = variants(domain, seeds, Params(transforms=["more", "none"]))
    assert {row.by for row in chosen} == {"more"}


@pytest.mark.parametrize("name", ["math", "puzzles", "coding"])
def test_a_variant_has_no_solution_of_its_parent(name):
    domain = domains.get(name)
    family = domain.families[0] if name != "coding" else domain.families[1]
    stream = generate_items(name, family, rng_seed=7, split="train")
    seeds = [replace(seed, solution="3 + 4 = 7") for seed in islice(stream, 5)]
    found = list(variants(domain, seeds, Params(domain=name)))
    assert found
    assert {row.seed.solution for row in found} == {""}


def test_a_transform_may_bring_a_solution_of_its_own():
    def kept(seed, rng_seed):
        return [replace(seed, prompt="other", parent=seed.id)]

    def solved(seed, rng_seed):
        return [replace(seed, prompt="more", solution="4 + 4 = 8", parent=seed.id)]

    domain = replace(domains.get("math"), transforms={"kept": kept, "solved": solved})
    seed = Seed("math", "What is 3 + 4?", "7", solution="3 + 4 = 7")
    made_rows = variants(domain, [seed], Params())
    assert [row.seed.solution for row in made_rows] == ["", "4 + 4 = 8"]
