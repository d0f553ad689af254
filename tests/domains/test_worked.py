"""Worked solutions: every line confirmed a second time, every planted error caught."""

import itertools
import re

import pytest
from worked_checks import CHECKS, fault

from phi_kit import domains
from phi_kit.core.rng import rng
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.domains.worked import ANSWER, FAMILIES, worked
from phi_kit.verifiers.worked_steps import first_false_step

FORMS = ("short", "long")
PAIRS = [(name, family) for name in FAMILIES for family in domains.get(name).families]
IDS = [f"{name}-{family.name}" for name, family in PAIRS]
EVERY = pytest.mark.parametrize(("name", "family"), PAIRS, ids=IDS)
# The verifier starts a sandbox for each of these; their checker runs the tests, too.
SANDBOXED = {"write-line", "write-list", "write-program"}
# Seconds for a few items, or items of their own that take long to make.
SLOW_TO_MAKE = {"countdown", "word", "palindrome"}
VERIFIED = 20
MOST_LINES = 12


SPLITS = ("train", "dev", "test")  # a store's items are shared out among them


def drawn(name, family, n):
    """Items of every split, `n` in all or as many as there are."""
    each = -(-n // len(SPLITS))
    drawn = [generate_items(name, family, rng_seed=11, split=split) for split in SPLITS]
    return [seed for many in drawn for seed in itertools.islice(many, each)][:n]


def sites(line, family):
    """Where an error can be planted: each digit, and the first letter of each word."""
    if family == "word":  # prose that was not made here: the results of its equations
        return [m.end() - 1 for m in re.finditer(r"= ?[$£€]?\d", line)]
    return [m.start() for m in re.finditer(r"\d|(?<![A-Za-z])[A-Za-z]", line)]


def spoilt(text, at):
    """A text with another digit or another letter in one place."""
    old = text[at]
    if old.isdigit():
        new = str((int(old) + 1) % 10)
    else:
        new = chr(ord(old) + 1) if old not in "zZ" else chr(ord(old) - 1)
    return text[:at] + new + text[at + 1 :]


def planted(text, family, *, draw=None):
    """The text with one error, again and again: in each place, or one in each line."""
    begin, marks = 0, []
    for line in text.split("\n"):
        within = [begin + at for at in sites(line, family)]
        begin += len(line) + 1
        if within and draw is not None:
            within = [within[int(draw.integers(len(within)))]]
        marks.append(within)
    if draw is not None and len(marks) > MOST_LINES:
        chosen = draw.permutation(len(marks))[:MOST_LINES]
        marks = [marks[int(place)] for place in chosen]
    for at in itertools.chain.from_iterable(marks):
        yield spoilt(text, at)


def confirmed(name, family, seeds, *, verified=None):
    """The solutions of some items, each line and each answer confirmed."""
    domain, found = domains.get(name), []
    for n, (seed, form) in enumerate(itertools.product(seeds, FORMS)):
        text = worked(seed, form)
        assert text, seed
        assert not fault(seed, form, text), (fault(seed, form, text), text)
        if family.name not in SANDBOXED:  # `x % 5 == 0` in code is no step
            assert not first_false_step(text, prompt=seed.prompt), text
        if verified is None or n < verified:
            verdict = domain.verifier(seed, text)
            assert verdict.right, (verdict, text)
        found.append((seed, form, text))
    assert len(found) == 2 * len(seeds) > 0
    return found


def test_every_family_is_worked_and_checked():
    families = {family.name for _, family in PAIRS}
    assert len(families) == len(PAIRS) > 40
    assert families == {name for many in FAMILIES.values() for name in many}
    assert families == CHECKS.keys()


@EVERY
def test_a_sample_is_confirmed_line_by_line(name, family):
    each = 6 if family.name in SLOW_TO_MAKE else 12
    verified = VERIFIED if family.name not in SANDBOXED else 2
    confirmed(name, family, drawn(name, family, each), verified=verified)


@EVERY
def test_an_error_in_any_place_is_caught(name, family):
    each = 2 if family.name in {"hanoi", "anagrams"} else 4
    count, seeds = 0, drawn(name, family, each)
    for seed, form, text in confirmed(name, family, seeds, verified=0):
        for wrong in planted(text, family.name):
            assert fault(seed, form, wrong), wrong
            count += 1
    assert count > each


@pytest.mark.sweep
@EVERY
def test_five_hundred_are_confirmed_and_an_error_in_any_line_is_caught(name, family):
    verified = VERIFIED if family.name in SANDBOXED else None
    seeds = drawn(name, family, 500)
    for n, (seed, form, text) in enumerate(
        confirmed(name, family, seeds, verified=verified)
    ):
        for wrong in planted(text, family.name, draw=rng(7, family.name, n)):
            assert fault(seed, form, wrong), wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_variants_are_worked_too(name):
    """A transform's variant keeps its family; its solution is its own."""
    domain, count = domains.get(name), 0
    for family in domain.families:
        for seed in drawn(name, family, 4):
            for transform in domain.transforms.values():
                for variant in transform(seed, 5):
                    for form in FORMS:
                        text = worked(variant, form)
                        assert text, variant
                        assert not fault(variant, form, text), text
                        assert domain.verifier(variant, text).right
                        count += 1
    assert count or not domain.transforms


def test_a_wrong_gold_has_no_solution():
    from dataclasses import replace

    (seed,) = drawn("math", domains.get("math").chosen(["sum-2"])[0], 1)
    assert worked(seed)
    assert worked(replace(seed, answer=str(int(seed.answer) + 1))) is None


@pytest.mark.parametrize("name", FAMILIES)
def test_a_foreign_prompt_has_no_solution(name):
    for family in domains.get(name).families:
        seed = Seed(name, "What is the capital of France?", "Paris", family.name)
        assert worked(seed) is None
    assert worked(Seed("law", "Who may vote?", "all", "sum-1")) is None


def test_the_mark_begins_the_last_line():
    (seed,) = drawn("math", domains.get("math").chosen(["legs"])[0], 1)
    *steps, last = worked(seed).split("\n")
    assert steps
    assert last == f"{ANSWER} {seed.answer}"
