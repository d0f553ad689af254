"""The seal on every family: no clean row is hit, no wrapped item is missed.

What is a clean row is decided here, by comparing texts, not by the seal: it has
not the letters and signs of any sealed item. A clean row that is hit all the same
must be the item told with one or two other words, with its numbers and its answer.

Measured with 60 sealed items and 350 rows per family: of 13,000 clean rows none is
hit, and each form of WRAPPED is found for every item of every family, 100 %. An
item that ends in any word of the language cannot be told from a longer one once
its end mark is gone (see OPEN).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.data.sealed_splits import Seal

ALL = [
    (name, family) for name in domains.names() for family in domains.get(name).families
]
# One of each kind: boards, sequences, lists, programs, options, requests, stories.
KINDS = {
    *("sum-2", "gcd-30", "legs", "word", "sequence", "print-value", "print-expression"),
    *("write-line", "letters-1", "letters-3", "palindrome", "sudoku-4", "queens"),
    *("convert-1", "convert-2", "facts-2", "facts-3", "asked", "refuse-plain"),
}
# "... in the text: the", "... in the text: the map": without the mark behind it the
# shorter text may always go on.
OPEN = {"letters-1", "letters-3", "place"}
_MARK = re.compile(r"(?<=[\w)\]\"'])[.,;:!?]+(?=\s|$|[\"')\]])")


def unmarked(prompt: str) -> str:
    """Without quotes and the marks behind words."""
    return re.sub("[\"'`]", "", _MARK.sub("", prompt))


WRAPPED: dict[str, Callable[[str], str]] = {
    "words around it": "please solve: {} thanks".format,
    "a sentence before": "Think before you answer. {}".format,
    "a sentence after": "{} Be brief.".format,
    "lines around it": "Here is a task:\n{}\nGood luck!".format,
    "blank lines around it": "Here is a task:\n\n{}\n\nThe answer is".format,
    "other case": str.swapcase,
    "wide spaces": lambda prompt: prompt.replace(" ", "  ").replace("\n", "\n\n"),
    "on one line": lambda prompt: " ".join(prompt.split()),
    "without punctuation": unmarked,
    "all of it": lambda prompt: f"Well. {' '.join(prompt.upper().split())}\n\nGo on!",
}


@dataclass(frozen=True)
class Sweep:
    """A seal over families, what is in it, and training rows of the same families."""

    seal: Seal
    sealed: dict[str, list[Seed]]
    clean: list[Seed]


def sweep(families, *, held_out: int, rows: int) -> Sweep:
    sealed: dict[str, list[Seed]] = {}
    draws, train = {}, []
    for name, family in families:

        def some(split: str, n: int, name=name, family=family) -> Iterator[Seed]:
            return islice(generate_items(name, family, rng_seed=7, split=split), n)

        sealed[family.name] = [s for k in ("dev", "test") for s in some(k, held_out)]
        draws[family.name] = [item.prompt for item in some("draws", 500)]
        train += some("train", rows)
    everything = [item for part in sealed.values() for item in part]
    known = {bare(item.prompt) for item in everything}
    clean = {bare(seed.prompt): seed for seed in train}
    return Sweep(
        Seal(everything, draws),
        sealed,
        [seed for text, seed in clean.items() if text not in known],
    )


def bare(prompt: str) -> str:
    return "".join(prompt.casefold().split())


def retold(row: Seed, item: Seed) -> bool:
    """Whether two of 20 words or fewer differ, and no number, and no answer."""
    one, other = (re.findall(r"\w+", seed.prompt.lower()) for seed in (row, item))
    numbers = [[w for w in words if w.isdigit()] for words in (one, other)]
    same = difflib.SequenceMatcher(None, one, other, autojunk=False)
    equal = sum(block.size for block in same.get_matching_blocks())
    return (
        row.answer == item.answer
        and numbers[0] == numbers[1]
        and max(len(one), len(other)) - equal <= len(other) / 10
    )


def check_clean(one: Sweep) -> None:
    by_id = {item.id: item for part in one.sealed.values() for item in part}
    hits = [(seed, one.seal.hit(seed.prompt)) for seed in one.clean]
    found = [(seed, by_id[hit.item], hit) for seed, hit in hits if hit]
    false = [(s.prompt, i.prompt, h) for s, i, h in found if not retold(s, i)]
    assert not false, false[0]
    assert len(found) <= len(one.clean) / 1000


def missed(one: Sweep, form: Callable[[str], str]) -> dict[str, int]:
    """How many items of each family are not found, or found as another one."""
    by_id = {item.id: item for part in one.sealed.values() for item in part}
    count = {}
    for family, part in one.sealed.items():
        found = 0
        for item in part:
            prompt = form(item.prompt)
            hit = one.seal.hit(prompt)
            same = hit and bare(by_id[hit.item].prompt) == bare(item.prompt)
            found += bool(same and letters(hit.span) in letters(prompt))
        count[family] = len(part) - found
    return {family: n for family, n in count.items() if n}


def letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


@pytest.fixture(scope="module")
def some() -> Sweep:
    chosen = [(name, family) for name, family in ALL if family.name in KINDS]
    assert len(chosen) == len(KINDS)
    return sweep(chosen, held_out=15, rows=60)


@pytest.fixture(scope="module")
def every() -> Sweep:
    return sweep(ALL, held_out=30, rows=350)


def test_no_clean_row_is_hit(some):
    assert len(some.clean) > 800
    check_clean(some)


@pytest.mark.parametrize("form", WRAPPED)
def test_every_wrapped_item_is_found(some, form):
    assert missed(some, WRAPPED[form]) == {}


@pytest.mark.slow
def test_no_clean_row_of_any_family_is_hit(every):
    assert len(every.sealed) == len(ALL) >= 48
    assert len(every.clean) >= 10_000
    check_clean(every)


@pytest.mark.slow
@pytest.mark.parametrize("form", WRAPPED)
def test_every_wrapped_item_of_any_family_is_found(every, form):
    assert missed(every, WRAPPED[form]) == {}


@pytest.mark.slow
def test_without_its_end_mark_an_open_text_goes_on(every):
    gone = missed(every, lambda prompt: f"please solve {unmarked(prompt)} thanks")
    assert gone.keys() == OPEN


@pytest.mark.parametrize("form", ["{}", "What is {}?", "Calculate {}", "please: {} ="])
def test_arithmetic_in_other_words_is_hit(some, form):
    sums = [
        item.prompt.partition(": ")[2].rstrip(" =") for item in some.sealed["sum-2"]
    ]
    assert sums
    assert all(form.format(sum_) in some.seal for sum_ in sums)
