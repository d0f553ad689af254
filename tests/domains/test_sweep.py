"""Every family of every domain: golds, splits, determinism."""

from __future__ import annotations

import itertools

import pytest

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.data.sealed_splits import Seal
from phi_kit.steps import pick_domain

PAIRS = [(n, f) for n in domains.names() for f in domains.get(n).families]
IDS = [f"{name}-{family.name}" for name, family in PAIRS]
# A second or more for a few items: their tasks, or one sandbox for each.
RUN = {"write-line", "write-list", "write-program"}
SLOW = {"countdown", "queens", "hanoi", "word", "anagrams"} | RUN
MARKED = [
    pytest.param(*p, id=i, marks=[pytest.mark.slow] * (p[1].name in SLOW))
    for p, i in zip(PAIRS, IDS, strict=True)
]


def drawn(name, family, split, n):
    return list(
        itertools.islice(generate_items(name, family, rng_seed=7, split=split), n)
    )


def test_there_is_something_to_sweep():
    assert {"math", "puzzles", "stem", "safety"} <= set(domains.names())
    assert len(PAIRS) > 35


@pytest.mark.parametrize(("name", "family"), MARKED)
def test_every_gold_is_right_by_its_own_verifier(name, family):
    domain = domains.get(name)
    each = 50 if family.name in RUN else 150  # a sandbox for each
    seeds = [s for split in ("dev", "train") for s in drawn(name, family, split, each)]
    assert len(seeds) > each
    wrong = [s for s in seeds if not domain.verifier(s, s.answer).right]
    assert not wrong, wrong[0]
    assert all(s.level == family.level and s.family == family.name for s in seeds)


@pytest.mark.parametrize(("name", "family"), MARKED)
def test_the_same_seed_makes_the_same_items(name, family):
    assert drawn(name, family, "train", 5) == drawn(name, family, "train", 5)


@pytest.mark.parametrize("name", domains.names())
def test_held_out_sets_share_nothing_and_the_seal_keeps_them_out(name):
    domain = domains.get(name)
    held_out = pick_domain.held_out_items(domain, pick_domain.Params(domain=name))
    dev, test = ({s.prompt for s in held_out[k]} for k in ("dev", "test"))
    assert len(dev) > 90
    assert not dev & test
    seal = Seal([*dev, *test])
    for family in domain.chosen():
        clean = [s for s in drawn(name, family, "train", 100) if s.prompt not in seal]
        assert not {s.prompt for s in clean} & (dev | test)
        assert clean


@pytest.mark.parametrize("name", ["stem", "safety"])
def test_items_from_a_store_share_nothing_between_splits_at_the_source(name):
    for family in domains.get(name).families:
        if family.stream:
            sets = [
                {s.prompt.split("\n")[0] for s in drawn(name, family, split, 400)}
                for split in ("dev", "test", "train")
            ]
            assert all(sets)
            assert not sets[0] & sets[1]
            assert not (sets[0] | sets[1]) & sets[2]


def test_the_usual_families_of_math_and_puzzles_have_not_changed():
    usual = {n: [f.name for f in domains.get(n).chosen()] for n in ("math", "puzzles")}
    assert usual == {
        "math": ["sum-1", "gcd-30", "sum-2", "legs"],
        "puzzles": ["letters-1", "letters-3", "syllogism", "note"],
    }


def test_every_hub_source_names_its_licence_and_no_test_split():
    sources = [s for n in domains.names() for s in domains.get(n).suggested_datasets]
    assert len(sources) >= 5
    for source in sources:
        assert source.licence
        assert "/" in source.id
        assert "test" not in source.split


def test_every_hub_source_is_one_that_a_study_can_name():
    from phi_kit.data.source_types import HubData

    for name in domains.names():
        for suggested in domains.get(name).suggested_datasets:
            given = suggested.source.model_dump(exclude_defaults=True)
            assert HubData(**given) == suggested.source
            assert suggested.source.hub == suggested.id


def test_every_benchmark_of_a_domain_is_one_that_step_7_runs():
    from phi_kit.evaluation.benchmarks import benchmark_table

    named = [one for name in domains.names() for one in domains.get(name).benchmarks]
    assert len(named) >= 8
    assert set(named) <= set(benchmark_table.names())
