"""The coding domain: every gold is right, and every level offers enough items."""

from __future__ import annotations

import itertools

import pytest

from phi_kit.data.generators import generate_items
from phi_kit.domains.coding import DOMAIN, renumber


def some(family, count, split="train"):
    return list(
        itertools.islice(
            generate_items("coding", family, rng_seed=3, split=split), count
        )
    )


@pytest.mark.parametrize("family", DOMAIN.families, ids=lambda family: family.name)
def test_every_gold_is_right_by_its_own_verifier(family):
    # A sandbox each; test_sweep.py runs hundreds of them, slowly.
    count = 200 if family.name.startswith("print") else 3
    for seed in some(family, count):
        verdict = DOMAIN.verifier(seed, seed.answer)
        assert verdict.value == "right", (seed, verdict)


@pytest.mark.parametrize("family", DOMAIN.families, ids=lambda family: family.name)
def test_a_family_has_enough_different_items(family):
    assert len({seed.prompt for seed in some(family, 400)}) >= 100


def test_levels_rise_and_the_usual_ones_start_easy():
    levels = [family.level for family in DOMAIN.families]
    assert levels == sorted(set(levels))
    assert DOMAIN.chosen()[0].level == 1


@pytest.mark.parametrize("family", DOMAIN.families, ids=lambda family: family.name)
@pytest.mark.parametrize("n", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_a_renumbered_program_prints_its_new_answer(family, n):
    made = [new for seed in some(family, n) for new in renumber(seed, 1)]
    for new in made:
        assert new.parent
        assert f"\n{new.facts['program']}\n" in new.prompt
        assert DOMAIN.verifier(new, new.answer).value == "right"
    assert bool(made) == family.name.startswith("print")


def test_the_tests_of_a_function_tell_its_bounds_apart():
    family = next(f for f in DOMAIN.families if f.name == "write-list")
    for seed in some(family, 6):
        assert len(seed.facts["tests"]) >= 6
        assert DOMAIN.verifier(seed, "```python\npass\n```").value == "wrong"
