"""Items of the built-in families: their golds hold, computed here once more."""

import itertools
import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
from worked_checks import fault

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.domains import gold_checks
from phi_kit.domains.worked import worked

CLAIM = re.compile(r"(All|No|Some) (\w+) are (not )?(\w+)")


def drawn(name, family, count, *, rng_seed=5):
    found = next(f for f in domains.get(name).families if f.name == family)
    stream = generate_items(name, found, rng_seed=rng_seed, split="train")
    return list(itertools.islice(stream, count))


def true(claim, world, terms):
    """Whether a claim is true; `world` has a bit for each set of terms there is."""
    quantity, one, no, other = claim
    a, b = 1 << terms.index(one), 1 << terms.index(other)
    those = [bool(kind & b) for kind in range(8) if world >> kind & 1 and kind & a]
    if quantity == "Some":
        return any(not has if no else has for has in those)
    return all(has == (quantity == "All") for has in those)


def entailed(prompt, *, existing):
    claims = [m.groups() for m in CLAIM.finditer(prompt)]
    terms = sorted({term for claim in claims for term in (claim[1], claim[3])})
    assert len(claims) == len(terms) == 3
    short = dict(zip(terms, "abc", strict=True))
    return entails(
        *((how, short[one], no, short[other]) for how, one, no, other in claims),
        existing=existing,
    )


@cache
def entails(*claims, existing):
    for world in range(256):
        there = [any(world >> k & 1 and k >> n & 1 for k in range(8)) for n in range(3)]
        if existing and not all(there):
            continue
        first, second, asked = (true(claim, world, "abc") for claim in claims)
        if first and second and not asked:
            return False
    return True


@pytest.mark.slow
def test_no_syllogism_of_two_thousand_is_wrong():
    seeds = drawn("puzzles", "syllogism", 2000)
    assert len({seed.prompt for seed in seeds}) == 2000
    for seed in seeds:
        for existing in (True, False):
            right = entailed(seed.prompt, existing=existing)
            assert seed.answer == ("Yes" if right else "No"), seed
    assert Counter(seed.answer for seed in seeds) == {"Yes": 1000, "No": 1000}


CHAIN = re.compile(r"\d+(?:\.\d+)?(?: ?[*/+-] ?\d+(?:\.\d+)?)+ ?= ?(\d+(?:\.\d+)?)")


def test_every_equation_of_the_word_problems_holds():
    count = 0
    for seed in drawn("math", "word", 300):
        steps = seed.facts["answer_cot"].partition("\n#### ")[0]
        assert not fault(seed, "short", worked(seed, "short"))
        plain = re.sub(r"[£$€%]|(?<=\d),(?=\d{3})", "", steps)
        for chain in CHAIN.finditer(plain):
            before = plain[: chain.start()].rstrip()[-1:]
            if before and before in "x×÷*/+-":
                continue  # it begins further left, in other signs: `fault` reads them
            left = chain[0].partition("=")[0]
            exact = re.sub(r"\d+(?:\.\d+)?", r"Fraction('\g<0>')", left)
            assert eval(exact) == Fraction(chain[1]), chain[0]
            count += 1
    assert count > 300


def test_every_equation_has_its_gold_for_its_one_solution():
    for seed in drawn("math", "equation", 300):
        left, right = re.search(r": ([^:=]+) = (-?\d+)$", seed.prompt).groups()
        name = re.search("[a-z]", left)[0]
        values = [eval(left, {name: int(seed.answer) + n}) for n in (0, 1)]
        assert values[0] == int(right) != values[1]


def test_every_sequence_goes_on_in_one_way():
    operations = [
        *((lambda n, p, c=c: n + c) for c in range(-10, 11) if c),
        *((lambda n, p, c=c: n * c) for c in range(-10, 11) if c not in (0, 1)),
        lambda n, p: n // 2,
        lambda n, p: n * n,
    ]
    for seed in drawn("math", "sequence", 60):
        terms = [int(one) for one in seed.prompt.removesuffix(", ?").split(", ")]
        for length in (1, 2):
            ways = set()
            for rule in itertools.product(operations, repeat=length):
                value, fits = terms[0], True
                for n in (*terms[1:], None):
                    for operation in rule:
                        value = operation(value, None)
                    fits = fits and n in (value, None)
                if fits:
                    ways.add(str(value))
            if ways:
                assert ways == {seed.answer}, seed
                break


@pytest.mark.parametrize(
    ("check", "prompt", "right", "wrong"),
    [
        (gold_checks.sequence, "9, 10, 12, 15, ?", "", "19"),  # 20 as well
        (gold_checks.sequence, "2, 4, 6, 8, ?", "10", "16"),
        (gold_checks.sequence, "none at all", "", "1"),
        (gold_checks.equation, "Determine the value of x: 0 = 0", "", "48"),
        (gold_checks.equation, "Solve for x: 3*x = 12", "4", "5"),
        (
            gold_checks.syllogism,
            "1. All cats are dogs\n2. All dogs are ants\n\n"
            "Does it logically follow that:\nAll cats are ants?\n(Answer Yes or No)",
            "Yes",
            "No",
        ),
        (
            gold_checks.syllogism,  # an undistributed middle
            "1. All cats are dogs\n2. Some dogs are ants\n\n"
            "Does it logically follow that:\nSome cats are ants?\n(Answer Yes or No)",
            "No",
            "Yes",
        ),
        (
            gold_checks.syllogism,  # only where there are cats
            "1. All cats are dogs\n2. No dogs are ants\n\n"
            "Does it logically follow that:\nSome dogs are cats?\n(Answer Yes or No)",
            "",
            "Yes",
        ),
    ],
)
def test_a_gold_that_does_not_hold_is_told_from_one_that_does(
    check, prompt, right, wrong
):
    seed = Seed("x", prompt, wrong)
    assert not check(seed)
    assert not right or check(replace(seed, answer=right))


def test_a_word_problem_whose_steps_do_not_calculate_is_not_made():
    seed = Seed(
        "math", "How many?", "27", extra='{"answer_cot": "0.68*40 = 27\\n#### 27"}'
    )
    assert not gold_checks.word(seed)
    cot = '{"answer_cot": "0.675*40 = 27\\n#### 27"}'
    assert gold_checks.word(replace(seed, extra=cot))
    assert not gold_checks.word(replace(seed, extra=cot, answer="28"))
