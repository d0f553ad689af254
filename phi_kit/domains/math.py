"""Math: arithmetic and word problems with one number as the answer."""

from __future__ import annotations

import re
from math import gcd

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.generators import GeneratedItem
from phi_kit.data.records import Seed
from phi_kit.verifiers.math import numeric, verifier

from . import gold_checks
from .base import Domain, Family, SuggestedDataset
from .transform import made_row

_SUM = re.compile(r"(?<![\d.,+*/×÷^-])(?<![+*/×÷^-] )(\d+) ([+-]) (\d+)(?= =)")
# The same words ask for an LCM.
_GCD = re.compile(r"(?<=\(GCD\) of these )numbers: (\d+), (\d+)(?![\d,])")


# Said to get nothing but an answer; what to say where steps are asked for.
_STATE = {"State the final answer to the following": "Solve the following"}


def _result(a: int, sign: str, b: int) -> int:
    return a + b if sign == "+" else a - b


def _sum(seed: Seed) -> tuple[int, str, int] | None:
    """The one sum a seed asks for; `None` if its gold answers something else."""
    found = _SUM.search(seed.prompt)
    if not found:
        return None
    a, sign, b = int(found[1]), found[2], int(found[3])
    return (
        (a, sign, b)
        if numeric.parse_number(seed.answer) == _result(a, sign, b)
        else None
    )


def swap(seed: Seed, rng_seed: int) -> list[Seed]:
    """The same numbers the other way round; the answer is computed afresh."""
    if found := _sum(seed):
        a, sign, b = found
        prompt = _SUM.sub(f"{b} {sign} {a}", seed.prompt)
        return [made_row(seed, "swap", prompt=prompt, answer=_result(b, sign, a))]
    if found := _GCD.search(seed.prompt):
        a, b = int(found[1]), int(found[2])
        prompt = _GCD.sub(f"numbers: {b}, {a}", seed.prompt)
        return [made_row(seed, "swap", prompt=prompt, answer=gcd(a, b))]
    return []


def renumber(seed: Seed, rng_seed: int) -> list[Seed]:
    """The same question with nearby numbers of as many digits."""
    draw = rng(rng_seed, "renumber", seed.id)

    def near(number: int) -> int:
        digits = len(str(number))
        low = 10 ** (digits - 1) if digits > 1 else 0
        return int(draw.integers(low, 10**digits))

    if found := _sum(seed):
        a, sign, b = near(found[0]), found[1], near(found[2])
        prompt = _SUM.sub(f"{a} {sign} {b}", seed.prompt)
        return [made_row(seed, "renumber", prompt=prompt, answer=_result(a, sign, b))]
    if found := _GCD.search(seed.prompt):
        a, b = (max(near(int(number)), 1) for number in found.groups())
        prompt = _GCD.sub(f"numbers: {a}, {b}", seed.prompt)
        return [made_row(seed, "renumber", prompt=prompt, answer=gcd(a, b))]
    return []


def story(seed: Seed, rng_seed: int) -> list[Seed]:
    """A sum told as a word problem: same numbers, same answer."""
    found = _sum(seed)
    if not found:
        return []
    a, sign, b = found
    if sign == "-" and b > a:
        return []  # nobody gives away more apples than there are
    who, what = _scene(seed, rng_seed)
    prompt = _told_sum(who, what, a, sign, b)
    return [made_row(seed, "story", prompt=prompt, answer=_result(a, sign, b))]


_NAMES, _THINGS = ("Ada", "Ben", "Mia", "Tom"), ("apples", "books", "coins")


def _scene(seed: Seed, rng_seed: int) -> tuple[str, str]:
    draw = rng(rng_seed, "story", seed.id)
    return _NAMES[draw.integers(4)], _THINGS[draw.integers(3)]


def small_story(draw: np.random.Generator) -> GeneratedItem:
    """A sum or a difference of one-digit numbers, told as `story` tells it."""
    a, b = (int(number) for number in draw.integers(2, 10, size=2))
    who, what = _NAMES[draw.integers(4)], _THINGS[draw.integers(3)]
    sign = "+-"[draw.integers(2)]
    a, b = (max(a, b), min(a, b)) if sign == "-" else (a, b)
    return _told_sum(who, what, a, sign, b), str(_result(a, sign, b)), {}


def _told_sum(who: str, what: str, a: int, sign: str, b: int) -> str:
    turn = f"gets {b} more" if sign == "+" else f"gives {b} away"
    return f"{who} has {a} {what} and {turn}. How many {what} now?"


def told(draw: np.random.Generator) -> GeneratedItem:
    """A number that the question tells: what even a tiny model solves already."""
    who, what = _NAMES[draw.integers(4)], _THINGS[draw.integers(3)]
    count = int(draw.integers(2, 13))
    return f"{who} has {count} {what}. How many {what} does {who} have?", str(count), {}


DOMAIN = Domain(
    name="math",
    title="Arithmetic and word problems",
    description="Sums, common divisors and short word problems; one number answers.",
    instruction="Give only the answer.",
    answer_kind="numeric",
    verifier=verifier.verify,
    families=(
        Family(
            "sum-1",
            1,
            "chain_sum",
            {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1},
            demands=_STATE,
        ),
        Family(
            "gcd-30",
            2,
            "gcd",
            {"max_value": 30},
            balance=4,
            demands={" Give only the GCD as your final answer.": ""},
        ),
        Family(
            "sum-2",
            3,
            "chain_sum",
            {"min_terms": 2, "max_terms": 2, "min_digits": 2, "max_digits": 2},
            demands=_STATE,
        ),
        Family(
            "legs",
            4,
            "leg_counting",
            {"min_animals": 1, "max_animals": 2, "max_instances": 3},
        ),
        Family(
            "word",
            5,
            "gsm_symbolic",
            facts=("answer_cot",),
            valid=gold_checks.word,
            usual=False,
        ),
        Family("told", 1, told, usual=False),
        Family("story-1", 3, small_story, usual=False),
        Family("lcm-10", 3, "lcm", {"max_value": 10}, usual=False),
        Family(
            "product-1",
            3,
            "products",
            {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1},
            demands={" Give only the result as your final answer.": ""},
            usual=False,
        ),
        Family(
            "equation",
            4,
            "simple_equations",
            valid=gold_checks.equation,
            usual=False,
        ),
        Family(
            "sequence",
            5,
            "number_sequence",
            valid=gold_checks.sequence,
            usual=False,
        ),
        Family("bits", 6, "count_bits", {"max_n": 1000}, usual=False),
    ),
    transforms={"swap": swap, "renumber": renumber, "story": story},
    checker="math",
    suggested_datasets=(
        SuggestedDataset(
            "openai/gsm8k",
            "MIT",
            config="main",
            columns={"answer_after": "####"},
            note="its test split is a benchmark",
        ),
        SuggestedDataset(
            "AI-MO/NuminaMath-1.5",
            "Apache-2.0",
            question="problem",
            note="a quarter of its answers are 'proof' or 'notfound'; they are dropped",
        ),
    ),
    benchmarks=("aime-2024", "aime-2025", "omni-math", "math-500", "gsm8k"),
)
