"""Families made by a function."""

from __future__ import annotations

import itertools

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
