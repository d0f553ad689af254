"""Held-out items: equal shares, and who stands in where a family is small."""

from __future__ import annotations

import pytest

from phi_kit.data import splits
from phi_kit.data.generators import Family
from phi_kit.data.records import Seed, normalise_prompt


def numbers(name: str, n: int) -> Family:
    """A family of so many different items."""
    return Family(name, 1, lambda draw: (f"{name} {draw.integers(n)}?", "1", {}))


def stored(name: str, n: int) -> Family:
    """A family whose stream ends."""
    return Family(
        name,
        1,
        stream=lambda rng_seed, split: (
            Seed("toy", f"{name} {split} {i}?", "1") for i in range(n)
        ),
    )


def drawn(*families: Family, **wanted: int):
    found = splits.draw_held_out("toy", families, wanted=wanted, rng_seed=7)
    return (
        found,
        splits.family_counts(found, families),
        splits.shortfall(found, families, wanted=wanted),
    )


LARGE, OTHER = numbers("large", 10_000), numbers("other", 10_000)


def test_equal_shares_and_nothing_to_say():
    found, counts, said = drawn(LARGE, OTHER, dev=21, test=4)
    assert counts == {
        "dev": {"large": 11, "other": 10},
        "test": {"large": 2, "other": 2},
    }
    assert said == ""
    assert [len(part) for part in found.values()] == [21, 4]


@pytest.mark.parametrize("small", [numbers("small", 6), stored("small", 6)])
def test_others_stand_in_for_a_family_that_runs_out(small):
    found, counts, said = drawn(LARGE, small, OTHER, dev=30)
    assert counts == {"dev": {"large": 12, "small": 6, "other": 12}}
    assert said == (
        "dev: too few different items in small 6 of 10; "
        "more came from large 2, other 2."
    )
    prompts = [normalise_prompt(item.prompt) for item in found["dev"]]
    assert len(set(prompts)) == 30
    assert drawn(LARGE, small, OTHER, dev=30)[0] == found


def test_what_stands_in_follows_what_would_be_drawn_anyway():
    alone = drawn(LARGE, dev=15)[0]["dev"]
    mixed = drawn(LARGE, numbers("small", 5), dev=20)[0]["dev"]
    assert [item for item in mixed if item.family == "large"] == alone


def test_an_earlier_split_draws_first_and_splits_share_nothing():
    found, counts, said = drawn(numbers("small", 6), LARGE, dev=8, test=8)
    assert counts["dev"] == {"small": 4, "large": 4}
    assert counts["test"] == {"small": 2, "large": 6}
    assert said.startswith("test: too few different items in small 2 of 4; more came")
    dev, test = ({item.prompt for item in part} for part in found.values())
    assert not dev & test


def test_too_few_everywhere_is_said():
    found, counts, said = drawn(stored("one", 3), stored("two", 4), dev=20)
    assert counts == {"dev": {"one": 3, "two": 4}}
    assert said == (
        "dev: too few different items in one 3 of 10, two 4 of 10; 13 are missing."
    )
    assert len(found["dev"]) == 7
