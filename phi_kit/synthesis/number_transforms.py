"""Math: questions turned round, easier and harder ones, short numeric answers.

Each answer is computed from the new question's numbers and each solution is worked,
column by column as the families' own solutions are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import gcd

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.data.solutions import clean_solution
from phi_kit.domains.transform import Transform, made_row
from phi_kit.domains.worked import worked
from phi_kit.domains.worked.arithmetic import add, multiples, subtract
from phi_kit.domains.worked.text import written
from phi_kit.verifiers.answer_extraction import marked_answer

_SUM = re.compile(r"(?<![\d.,+*/×÷^-])(?<![+*/×÷^-] )(\d+) ([+-]) (\d+)(?= =)")
_STORY = re.compile(
    r"^(\w+) has (\d+) (\w+) and (gets|gives) (\d+) (more|away)\. How many \3 now\?$"
)
_PRODUCT = re.compile(r"(?<=multiplication: )(\d+) \* (\d+)(?=\.)")
_PAIR = re.compile(r"(?<=\(GCD\) of these numbers: )(\d+), (\d+)(?![\d,])")
_LEGS = re.compile(r"(?<=if you have )([^?]+)(?=\?)")
_FRACTION = re.compile(r"(?:\\d?frac\{(\d+)\}\{(\d+)\}|(\d+) ?/ ?(\d+))")
_WHOLE = re.compile(r"[-+]?\d[\d,]*")
_PATTERNS = {
    "sum": _SUM, "product": _PRODUCT, "pair": _PAIR, "legs": _LEGS, "story": _STORY
}  # fmt: skip
# The family that asks alike and has a worked solution.
_ALIKE = {
    "sum": "sum-2", "product": "product-1", "pair": "gcd-30", "legs": "legs",
    "story": "story-1",
}  # fmt: skip
_MOST_DIGITS, _MOST_FACTOR, _MOST_LEGS = 4, 12, 6
_MOST_PART = 10_000  # of a fraction whose parts are still one short sum


def _solved(row: Seed, family: str) -> Seed:
    """A row with the worked solution of the family that asks alike.

    A solution that says nothing, or arrives elsewhere, is none.
    """
    text = worked(replace(row, domain="math", family=family))
    return replace(row, solution=text or "")


def backward(seed: Seed, rng_seed: int) -> list[Seed]:
    """One of the given numbers is left out and asked for; the result is told."""
    kind, found = _question(seed)
    turn = _BACKWARD.get(kind)
    turned = turn(found, rng(rng_seed, "backward", seed.id)) if turn else None
    if turned is None:
        return []
    prompt, answer, lines = turned
    said = written(lines, answer)
    return [made_row(seed, "backward", prompt=prompt, answer=answer, solution=said)]


def _question(seed: Seed) -> tuple[str, re.Match | None]:
    """Which kind of question a seed asks; no kind where its gold is of another.

    `3 + 4 = 7 apples, and she eats 2` holds a sum and asks something else.
    """
    for kind, pattern in _PATTERNS.items():
        found = pattern.search(seed.prompt)
        if found and str(_result(kind, found)) == seed.answer.strip():
            return kind, found
    return "", None


def _result(kind: str, found: re.Match) -> int | None:
    if kind == "legs":
        animals = _animals(found[1])
        return None if animals is None else sum(n * each for n, _, each in animals)
    if kind == "story":
        one, other = int(found[2]), int(found[5])
        return one + other if found[4] == "gets" else one - other
    one, other = int(found[1]), int(found[3 if kind == "sum" else 2])
    if kind == "sum":
        return one + other if found[2] == "+" else one - other
    return one * other if kind == "product" else gcd(one, other)


# A question that asks for a number it used to give: its words, answer and steps.
_Backward = tuple[str, int, list[str]]


def _missing_sum(a: int, sign: str, b: int, first: bool) -> tuple[int, list[str]]:
    """The number that is left out, and the steps that find it from the result."""
    result = a + b if sign == "+" else a - b
    if sign == "+":  # ? + b = c, a + ? = c
        known, wanted = (b, a) if first else (a, b)
        return wanted, _difference(result, known)
    if first:  # ? - b = c
        return a, _total(result, b)
    return b, _difference(a, result)  # a - ? = c


def _difference(one: int, other: int) -> list[str]:
    if other < 0:
        return [f"? = {one} + {-other}", *_added(one, -other)]
    small = one < 10 and other < 10
    equation = f"{one} - {other} = {one - other}"
    return [f"? = {one} - {other}", *([equation] if small else subtract(one, other))]


def _total(one: int, other: int) -> list[str]:
    if one < 0:
        return _difference(other, -one)
    return [f"? = {one} + {other}", *_added(one, other)]


def _added(one: int, other: int) -> list[str]:
    equation = f"{one} + {other} = {one + other}"
    return [*([] if one < 10 and other < 10 else add(one, other, "short")), equation]


def _sum_backward(found: re.Match, draw: np.random.Generator) -> _Backward:
    a, sign, b = int(found[1]), found[2], int(found[3])
    first = bool(draw.integers(2))
    wanted, lines = _missing_sum(a, sign, b, first)
    shown = f"? {sign} {b}" if first else f"{a} {sign} ?"
    result = a + b if sign == "+" else a - b
    asked = f"Which number does the question mark stand for? {shown} = {result}"
    return asked, wanted, lines


def _story_backward(found: re.Match, draw: np.random.Generator) -> _Backward:
    who, a, what, verb, b, end = found.groups()
    sign = "+" if verb == "gets" else "-"
    result = int(a) + int(b) if sign == "+" else int(a) - int(b)
    first = bool(draw.integers(2))
    wanted, lines = _missing_sum(int(a), sign, int(b), first)
    if first:
        told = f"{who} has some {what} and {verb} {b} {end}. Now {who} has {result}."
        asked = f"{told} How many {what} did {who} have at first?"
    else:
        told = f"{who} has {a} {what} and {verb} some {end}. Now {who} has {result}."
        did = "get" if verb == "gets" else "give away"
        asked = f"{told} How many {what} did {who} {did}?"
    return asked, wanted, lines


def _product_backward(found: re.Match, draw: np.random.Generator) -> _Backward | None:
    one, other = int(found[1]), int(found[2])
    wanted, known = (one, other) if draw.integers(2) else (other, one)
    if not 1 <= wanted <= _MOST_FACTOR or not known:
        return None  # nought times anything is nought
    lines = [f"{known} counted up: {multiples(wanted, known)}"]
    lines.append(f"{wanted} * {known} = {wanted * known}")
    asked = (
        f"Which number does the question mark stand for? ? * {known} = {one * other}"
    )
    return asked, wanted, lines


def _animals(text: str) -> list[tuple[int, str, int]] | None:
    """`3 dogs, 1 bird` as number, animal and its legs."""
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    found = []
    for told in text.split(", "):
        number, _, animal = told.partition(" ")
        name = animal if animal in ANIMALS else animal.removesuffix("s")
        if name not in ANIMALS or not number.isdigit():
            return None
        found.append((int(number), name, ANIMALS[name]))
    return found


def _herd(animals: list[tuple[int, str, int]]) -> str:
    return ", ".join(f"{n} {name}{'s' if n > 1 else ''}" for n, name, _ in animals)


def _legs_backward(found: re.Match, draw: np.random.Generator) -> _Backward | None:
    animals = _animals(found[1]) or []
    fitting = [place for place, one in enumerate(animals) if one[2] and one[0]]
    if not fitting:
        return None
    place = fitting[int(draw.integers(len(fitting)))]
    count, name, each = animals[place]
    others = [one for at, one in enumerate(animals) if at != place]
    total = sum(n * legs for n, _, legs in animals)
    lines, before = [], 0
    for n, other, legs in others:
        lines.append(f"{other}: {n} * {legs} = {n * legs}")
        if before:
            lines.append(f"{before} + {n * legs} = {before + n * legs}")
        before += n * legs
    rest = total - before
    if others:
        lines.append(f"{total} - {before} = {rest}")
    lines.append(f"{name} {each}: {multiples(count, each)}")
    lines.append(f"{count} * {each} = {rest}")
    beside = f"{_herd(others)} and some" if others else "some"
    asked = (
        f"You have {beside} animals of the kind {name}. Together they have {total} "
        f"legs. How many animals of the kind {name} are there?"
    )
    return asked, count, lines


def easier(seed: Seed, rng_seed: int) -> list[Seed]:
    """The same question with smaller numbers, where there are any."""
    return _sized(seed, "easier", rng(rng_seed, "easier", seed.id), up=False)


def harder(seed: Seed, rng_seed: int) -> list[Seed]:
    """The same question with larger numbers, or with one thing more to count."""
    return _sized(seed, "harder", rng(rng_seed, "harder", seed.id), up=True)


def _sized(seed: Seed, name: str, draw: np.random.Generator, *, up: bool) -> list[Seed]:
    level = max(1, seed.level + (1 if up else -1)) if seed.level else 0
    kind, found = _question(seed)
    made = _SIZED[kind](found, draw, up) if kind else None
    if made is None:
        return []
    text, answer = made
    prompt = seed.prompt[: found.start()] + text + seed.prompt[found.end() :]
    row = made_row(seed, name, prompt=prompt, answer=answer)
    row = _solved(replace(row, level=level), _ALIKE[kind])
    return [row] if row.solution else []


def _digits(number: str, draw: np.random.Generator, up: bool) -> int | None:
    """A number with a digit more or less; `None` where there is none."""
    size = len(number) + (1 if up else -1)
    if not 1 <= size <= _MOST_DIGITS:
        return None
    return int(draw.integers(10 ** (size - 1) if size > 1 else 2, 10**size))


def _sized_sum(
    found: re.Match, draw: np.random.Generator, up: bool
) -> tuple[str, int] | None:
    a, b = (_digits(found[place], draw, up) for place in (1, 3))
    if a is None or b is None:
        return None
    sign = found[2]
    return f"{a} {sign} {b}", a + b if sign == "+" else a - b


def _sized_story(
    found: re.Match, draw: np.random.Generator, up: bool
) -> tuple[str, int] | None:
    who, one, what, verb, other, end = found.groups()
    a, b = _digits(one, draw, up), _digits(other, draw, up)
    if a is None or b is None:
        return None
    if verb == "gives":  # nobody gives more away than there is
        a, b = max(a, b), min(a, b)
    told = f"{who} has {a} {what} and {verb} {b} {end}. How many {what} now?"
    return told, a + b if verb == "gets" else a - b


def _sized_product(
    found: re.Match, draw: np.random.Generator, up: bool
) -> tuple[str, int] | None:
    one, other = sorted((found[1], found[2]), key=len)
    # One factor alone grows, the larger shrinks: a step, not a leap.
    a = int(one) if not up else int(other)
    b = _digits(one if up else other, draw, up)
    return None if b is None else (f"{b} * {a}", a * b)


def _sized_pair(
    found: re.Match, draw: np.random.Generator, up: bool
) -> tuple[str, int] | None:
    a, b = int(found[1]), int(found[2])
    if up:
        times = int(draw.integers(2, 6))
        a, b = a * times, b * times
    elif max(a, b) > 12:
        a, b = (int(draw.integers(2, 13)) for _ in range(2))
    else:
        return None
    return f"{a}, {b}", gcd(a, b)


def _sized_legs(
    found: re.Match, draw: np.random.Generator, up: bool
) -> tuple[str, int] | None:
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    animals = _animals(found[1])
    if animals is None:
        return None
    if up:
        others = sorted(set(ANIMALS) - {name for _, name, _ in animals})
        name = others[int(draw.integers(len(others)))]
        animals = [*animals, (int(draw.integers(2, _MOST_LEGS)), name, ANIMALS[name])]
    elif len(animals) > 1:
        animals = animals[:-1]
    else:
        return None
    return _herd(animals), sum(n * legs for n, _, legs in animals)


_BACKWARD = {
    "sum": _sum_backward,
    "story": _story_backward,
    "product": _product_backward,
    "legs": _legs_backward,
}
_SIZED = {
    "sum": _sized_sum,
    "story": _sized_story,
    "product": _sized_product,
    "pair": _sized_pair,
    "legs": _sized_legs,
}


def short_answer(seed: Seed, rng_seed: int) -> list[Seed]:
    """A worked answer or a fraction asked for as one whole number.

    A long answer keeps its question; of a fraction in lowest terms the sum of its
    parts is asked for, as competitions do (AIME).
    """
    if _WHOLE.fullmatch(seed.answer.strip()):
        return []
    work = clean_solution(seed.solution)
    marked = marked_answer(seed.answer)
    final = (marked or seed.answer).strip().strip("$.")
    if marked and not work:
        work = _before(seed.answer)
    if fraction := _FRACTION.fullmatch(final):
        return _fraction_parts(seed, fraction, work)
    if not marked or not _WHOLE.fullmatch(final):
        return []
    number = int(final.replace(",", ""))
    row = made_row(
        seed,
        "short_answer",
        prompt=f"{seed.prompt}\nGive the final answer as one whole number.",
        answer=number,
        solution=written([work], number) if work else "",
    )
    return [row]


def _before(answer: str) -> str:
    """What a worked answer says before the line that marks its result."""
    lines = clean_solution(answer).splitlines()
    return "\n".join(lines[:-1] if len(lines) > 1 else lines).strip()


def _fraction_parts(seed: Seed, found: re.Match, work: str) -> list[Seed]:
    top, bottom = (int(part) for part in found.groups() if part is not None)
    if not bottom or top > _MOST_PART or bottom > _MOST_PART:
        return []
    value = Fraction(top, bottom)
    m, n = value.numerator, value.denominator
    if n == 1:
        return []
    prompt = (
        f"{seed.prompt}\nThe answer is m/n in lowest terms. What is m + n? Give one "
        "whole number."
    )
    lines = [work] if work else []
    shown = f"{top}/{bottom}"
    if (m, n) != (top, bottom):
        lines.append(f"In lowest terms {shown} is {m}/{n}.")
    else:
        lines.append(f"{shown} is in lowest terms.")
    lines.append(f"m + n = {m} + {n} = {m + n}")
    row = made_row(
        seed,
        "short_answer",
        prompt=prompt,
        answer=m + n,
        solution=written(lines, m + n) if work else "",
    )
    return [row]


TRANSFORMS = tuple(
    Transform(name, make, "math", about, usual=False)
    for name, make, about in (
        ("backward", backward, "a given number is left out and asked for"),
        ("easier", easier, "the same with smaller numbers"),
        ("harder", harder, "the same with larger numbers, or more to count"),
        ("short_answer", short_answer, "a worked answer as one whole number"),
    )
)
