"""Families made by a function."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

from phi_kit.data.generators import Family, generate_items


def double(draw):
    number = int(draw.integers(1000))
    return f"Twice {number}?", str(2 * number), {"number": number}


FAMILY = Family("double", 1, double)


def first(count, **how):
    how = {"rng_seed": 1, "split": "train"} | how
    return list(itertools.islice(generate_items("toy", FAMILY, **how), count))


def test_an_item_carries_what_its_function_gave():
    seed = first(1)[0]
    assert seed.answer == str(2 * seed.facts["number"])
    assert (seed.family, seed.level) == ("double", 1)
    assert (seed.source, seed.licence) == ("phi-kit/toy/double", "Apache-2.0")


def test_the_same_seed_and_split_make_the_same_items():
    assert first(20) == first(20)
    assert first(20) != first(20, split="test")
    assert first(20) != first(20, rng_seed=2)


def drawn(family, count):
    stream = generate_items("toy", family, rng_seed=1, split="train")
    return list(itertools.islice(stream, count))


def test_items_that_are_not_valid_are_not_made():
    family = replace(FAMILY, valid=lambda seed: int(seed.answer) % 3 == 0)
    kept = [seed for seed in first(300) if int(seed.answer) % 3 == 0]
    assert drawn(family, 50) == kept[:50]
    assert drawn(family, 50) == drawn(family, 50)


def test_a_family_without_valid_items_ends():
    assert drawn(replace(FAMILY, valid=lambda seed: False), 5) == []


def parity(draw):
    number = int(draw.integers(10_000))
    return f"Is {number} even?", "Yes" if number % 2 == 0 else "No", {}


def test_a_balanced_family_stays_balanced():
    family = Family("parity", 1, parity, balance=2)
    half = replace(family, valid=lambda s: s.answer == "Yes" or "1" in s.prompt)
    assert Counter(s.answer for s in drawn(half, 100)) == {"Yes": 50, "No": 50}
