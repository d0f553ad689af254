"""Of 1,000 answers that are almost right, not one is accepted, by no verifier."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from phi_kit import verify
from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.verify import near

N = 1000
DRESS = [near.FORMATS[name] for name in ("bare", "box", "mark", "sentence", "bold")]
NOUNS = ("apple", "carbon", "blue whale", "Monday", "prime number", "Lake Victoria")


def golds():
    draw = rng(7, "golds")
    while True:
        size = int(draw.integers(1, 7))
        whole = str(int(draw.integers(2, 10**size)))
        yield whole if draw.random() < 0.7 else f"{whole}.{draw.integers(1, 100):02d}"


def wrong_numbers(name):
    for gold in golds():
        for index, miss in enumerate(near.numbers(gold, name)):
            yield gold, DRESS[index % len(DRESS)](miss), {}


def structures(draw):
    """Intervals, tuples, sets, equations and fractions, each with a neighbour."""
    a, b = sorted(int(n) for n in draw.choice(range(2, 400), 2, replace=False))
    yield f"({a}, {b}]", f"[{a}, {b}]"
    yield f"({a}, {b}]", f"({a}, {b + 1}]"
    yield f"({a}, {b})", f"({b}, {a})"
    yield f"\\{{{a}, {b}\\}}", f"\\{{{a}, {b + 1}\\}}"
    yield f"\\{{{a}, {b}\\}}", f"\\{{{a}\\}}"
    yield f"x = {a}", f"x = {b}"
    yield f"x = {a}", f"y = {a}"
    yield f"\\frac{{{a}}}{{{b + 1}}}", f"\\frac{{{a}}}{{{b + 2}}}"
    yield f"{a} cm", f"{a} m"
    yield f"\\pm {a}", f"{a}"
    yield f"{a}:{b}", f"{b}:{a}"
    yield f"\\frac{{1}}{{2^{{{b}}}}}", f"\\frac{{1}}{{2^{{{b + 1}}}}}"


def wrong_structures():
    draw = rng(7, "structures")
    while True:
        for gold, miss in structures(draw):
            yield gold, rf"So \boxed{{{miss}}}.", {}


def wrong_maths():
    for number, structure in zip(
        wrong_numbers("math"), wrong_structures(), strict=True
    ):
        yield number
        yield structure


def wrong_texts():
    draw = rng(7, "texts")
    letters = "abcdefghijklmnopqrstuvwxyz"
    while True:
        word = "".join(letters[i] for i in draw.integers(0, 26, 7))
        for gold in (word, NOUNS[draw.integers(len(NOUNS))]):
            for index, miss in enumerate(near.texts(gold)):
                yield gold, DRESS[index % len(DRESS)](miss), {}


def wrong_letters():
    draw = rng(7, "letters")
    while True:
        letters = "ABCDEFGHIJ"[: draw.integers(3, 11)]
        extra = {"choices": {x: f"{draw.integers(1000)} {x.lower()}x" for x in letters}}
        gold = letters[draw.integers(len(letters))]
        for miss in near.letters(gold, extra):
            yield gold, miss, extra


def wrong_countdowns():
    """Sums that miss the target, leave a number out, add one or use one twice."""
    draw = rng(7, "countdown")
    while True:
        a, b, c = (int(n) for n in draw.choice(range(2, 60), 3, replace=False))
        gold = f"{a}*{b} + {c}"
        meta = {"numbers": [a, b, c], "target": a * b + c}
        entry = {"question": "", "answer": gold, "metadata": meta}
        misses = (
            f"{a}*{b} - {c}", f"{a}*{c} + {b}", f"{a}*{b}", f"{a * b} + {c}",
            f"{gold} + 0", f"{gold} + {c} - {c}", str(a * b + c), f"{gold} = {a * b}",
            f"{a}*{b} + {c} or {a} + {b}", f"({gold})*1", f"{a}**{b} + {c}",
        )  # fmt: skip
        for miss in misses:
            yield gold, miss, {"task": "countdown", "entry": entry}


MAKERS = {
    "numeric": lambda: wrong_numbers("numeric"),
    "math": wrong_maths,
    "exact": wrong_texts,
    "choice": wrong_letters,
    "puzzle": wrong_countdowns,
}


@pytest.mark.parametrize("name", MAKERS)
def test_none_is_accepted(name):
    check, seen = verify.get(name), 0
    for gold, response, extra in islice(MAKERS[name](), N):
        seed = Seed("test", "", gold, extra=json.dumps(extra))
        verdict = check(seed, response)
        assert verdict.value == "wrong", (gold, response, verdict)
        seen += 1
    assert seen == N


def test_the_golds_themselves_are_right_in_every_dress():
    for gold in islice(golds(), 200):
        for name in ("numeric", "math"):
            for how, dress in near.FORMATS.items():
                verdict = verify.get(name)(Seed("test", "", gold), dress(gold))
                assert verdict.right, (gold, how, verdict)
