"""Every domain, every family, every transform: right by construction."""

import math
import re
from dataclasses import replace
from functools import cache
from itertools import islice

import pytest

from phi_kit import domains
from phi_kit.core.errors import StudyError
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.steps import benchmark

# What answers with one number or word; test_sweep.py sweeps over all families.
FAMILIES = [
    (name, family)
    for name in ("math", "puzzles")
    for family in domains.get(name).families
    if not family.entry
]
TRANSFORMS = [
    (name, transform)
    for name in ("math", "puzzles")
    for transform in domains.get(name).transforms
]
OTHER = {"yes": "no", "no": "yes", "true": "false", "false": "true"}


def some(domain, family):
    return _some(domain, family.name)


@cache
def _some(domain, name):
    (family,) = domains.get(domain).chosen([name])
    stream = generate_items(domain, family, rng_seed=11, split="test of the kit")
    # A scorer's items cost more, and no transform knows them.
    return list(islice(stream, 5 if family.entry else 200))


def near_misses(answer):
    if answer.lower() in OTHER:
        yield OTHER[answer.lower()]
        yield f"{answer} and {OTHER[answer.lower()]}"
    elif re.fullmatch(r"[a-z ]+", answer):
        turned = " ".join(reversed(answer.split())) if " " in answer else answer[::-1]
        yield from (f"{answer}x", answer[1:], *([turned] if turned != answer else []))
    else:
        yield from (str(float(answer) + 1), str(float(answer) - 1), f"1{answer}")
    yield from ("", "proof", f"<think>{answer}</think>")


def test_there_is_something_to_sweep():
    assert len(FAMILIES) >= 9
    assert len(TRANSFORMS) >= 5


@pytest.mark.parametrize(
    ("name", "family"), FAMILIES, ids=lambda x: getattr(x, "name", x)
)
def test_gold_is_right_and_near_misses_are_not(name, family):
    domain = domains.get(name)
    for seed in some(name, family):
        assert seed.prompt
        assert (seed.domain, seed.family, seed.parent) == (name, family.name, "")
        chatty = f"Let me think. The answer is {seed.answer}."
        for response in (seed.answer, chatty, f"**{seed.answer}**"):
            assert domain.verifier(seed, response).right, (seed, response)
        for response in near_misses(seed.answer):
            assert domain.verifier(seed, response).value == "wrong", (seed, response)


def solve(prompt):
    """The answer to a prompt, worked out from its words alone."""
    numbers = [int(n) for n in re.findall(r"\d+", prompt)]
    if found := re.search(
        r'letter "(.)" appear in the text: "(.*)"\?$', prompt, re.DOTALL
    ):
        return sum(c.lower() == found[1].lower() for c in found[2])
    if "Greatest Common Divisor" in prompt:
        assert len(numbers) == 2
        return math.gcd(*numbers)
    assert len(numbers) == 2, prompt
    taken = " - " in prompt or "away" in prompt
    return numbers[0] - numbers[1] if taken else numbers[0] + numbers[1]


@pytest.mark.parametrize(("name", "transform"), TRANSFORMS)
def test_variants_are_right_and_know_their_parent(name, transform):
    domain = domains.get(name)
    made = 0
    for family in domain.families:
        for seed in some(name, family):
            for variant in domain.transforms[transform](seed, 5):
                made += 1
                assert variant.answer == str(solve(variant.prompt))
                assert domain.verifier(variant, variant.answer).right
                assert (variant.parent, variant.domain) == (seed.id, name)
                assert transform in variant.source
                assert variant.licence == seed.licence
                assert domain.transforms[transform](seed, 5) == [variant]
    assert made >= 200


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("3 + 4 + 5 =", "12"),
        ("2 * 3 + 4 =", "10"),
        ("1.5 + 2 =", "3.5"),
        ("-5 + 2 =", "-3"),
        ("2 × 3 + 4 =", "10"),
        ("Ann counts 3 + 4 = 7 apples and eats 2. How many are left?", "5"),
        ("Find the Greatest Common Divisor (GCD) of these numbers: 4, 6, 9.", "1"),
        ("How many legs have 3 cows?", "12"),
    ],
)
def test_a_transform_leaves_alone_what_it_cannot_read(prompt, answer):
    seed = Seed("math", prompt, answer)
    for transform in domains.get("math").transforms.values():
        assert transform(seed, 1) == []


def test_puzzle_transforms_leave_files_of_yours_alone():
    seed = Seed("puzzles", 'How often is "e" in "tree"?', "2")
    for transform in domains.get("puzzles").transforms.values():
        assert transform(seed, 1) == []


def test_an_unreadable_gold_is_unknown_in_every_domain():
    # Of coding's items any text can be the gold: a program may print it.
    # Of safety's the seed's `extra` says what is right, whatever the gold is.
    for name in set(domains.names()) - {"coding", "safety"}:
        seed = replace(some(name, domains.get(name).families[0])[0], answer="proof")
        assert domains.get(name).verifier(seed, "7").value == "unknown"


def test_names_are_offered():
    with pytest.raises(StudyError, match="did you mean 'math'"):
        domains.get("maths")
    with pytest.raises(StudyError, match="did you mean 'sum-1'"):
        domains.get("math").chosen(["sum1"])
    with pytest.raises(ValueError, match="stands twice"):
        benchmark.Params(domains=["math", "math"])
    assert [f.name for f in domains.get("math").chosen(["word"])] == ["word"]
    assert "word" not in [f.name for f in domains.get("math").chosen()]
