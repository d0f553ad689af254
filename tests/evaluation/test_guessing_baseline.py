"""What guessing gives: the floor under every accuracy."""

import json
from collections import Counter
from itertools import islice

import pytest

from phi_kit import domains
from phi_kit.core.errors import DataError
from phi_kit.core.finished_run import RunFolder
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.evaluation import guessing_baseline
from phi_kit.verifiers import get

FAMILIES = [
    (name, family.name)
    for name in domains.names()
    for family in domains.get(name).families
    if family.balance
]


def seeds(answers, *, family="f", **extra):
    return [
        Seed("d", f"question {place}", answer, family=family, extra=json.dumps(extra))
        for place, answer in enumerate(answers)
    ]


def guesser(*families, verifier="numeric"):
    found = {
        rows[0].family: guessing_baseline.best_guess(rows[0].family, rows)
        for rows in families
    }
    return guessing_baseline.Guesser(found, get(verifier))


def test_a_guess_is_the_commonest_answer_of_the_training_items():
    found = guessing_baseline.best_guess("f", seeds(["1", "2", "1", "3"]))
    assert (found.answer, found.share, found.n) == ("1", 0.5, 4)
    assert not found.picks


def test_the_constant_is_checked_as_any_response_is():
    train, test = seeds(["0.5", "0.5", "2"]), seeds(["1/2", "2", "0.50"])
    assert guesser(train, verifier="math").per_item(test) == [1, 0, 1]


def test_without_an_answer_that_comes_twice_a_guesser_earns_nothing():
    train = seeds(["1", "2", "3"])
    assert guesser(train).per_item(seeds(["1", "2"])) == [0, 0]


def test_where_items_have_options_chance_may_be_the_better_guess():
    options = {"A": "w", "B": "x", "C": "y", "D": "z"}
    even = seeds("ABCD", choices=options)
    assert guesser(even, verifier="choice").per_item(even) == [0.25] * 4
    odd = seeds("AAAD", choices=options)
    assert guesser(odd, verifier="choice").per_item(odd) == [1, 1, 1, 0]


def test_each_family_has_a_guess_of_its_own():
    one, two = seeds("1123", family="one"), seeds("7789", family="two")
    both = guesser(one, two)
    assert both.per_item([one[0], two[0], *seeds("1", family="new")]) == [1, 1, 0]


def test_no_guess_is_chosen_on_what_is_held_out():
    domain = domains.get("math")
    family = next(f for f in domain.families if f.name == "gcd-30")
    first = list(
        islice(
            generate_items("math", family, rng_seed=7, split="train"),
            guessing_baseline.ITEMS_PER_FAMILY,
        )
    )
    open_ = guessing_baseline.choose_guesses(domain, [family], held_out=[], rng_seed=7)
    closed = guessing_baseline.choose_guesses(
        domain, [family], held_out=first[:100], rng_seed=7
    )
    assert open_.guesses["gcd-30"].n == len(first)
    assert closed.guesses["gcd-30"].n == len(first) - 100


def test_a_card_of_an_older_kit_says_what_to_do(tmp_path):
    manifest = {"result": {"overall": {}}, "files": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="older phi_kit"):
        guessing_baseline.guesser_of_card(RunFolder(tmp_path), domains.get("math"))


def test_a_card_gives_back_the_guesses_it_was_given(tmp_path):
    domain, rows = domains.get("math"), seeds("1123")
    card = guesser(rows).card(rows, rng_seed=7)
    manifest = {"result": {"guessing": json.loads(json.dumps(card))}, "files": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    again = guessing_baseline.guesser_of_card(RunFolder(tmp_path), domain)
    assert again.per_item(rows) == guesser(rows).per_item(rows) == [1, 1, 0, 0]
    assert card["overall"]["accuracy"] == 0.5


def test_there_are_balanced_families():
    assert len(FAMILIES) >= 5


@pytest.mark.parametrize(("name", "family"), FAMILIES)
def test_in_a_balanced_family_no_answer_is_worth_saying_always(name, family):
    found = next(f for f in domains.get(name).families if f.name == family)
    drawn = list(islice(generate_items(name, found, rng_seed=3, split="any"), 80))
    assert len(drawn) == 80
    assert len({seed.prompt for seed in drawn}) == 80
    most = Counter(seed.answer for seed in drawn).most_common(1)[0][1]
    assert most <= 80 / found.balance


def test_every_usual_family_has_more_than_one_answer():
    # Refusing is what harmful requests are for: one stance answers them all.
    stances = {"refuse-plain", "refuse-wrapped"}
    checked = 0
    for name in domains.names():
        domain = domains.get(name)
        for family in domain.chosen():
            if family.name in stances:
                continue
            drawn = list(
                islice(generate_items(name, family, rng_seed=1, split="any"), 60)
            )
            most = Counter(seed.answer for seed in drawn).most_common(1)[0][1]
            assert most <= len(drawn) * 0.55, family.name
            checked += 1
    assert checked > 15


def test_a_lopsided_family_is_named_with_its_answer():
    said = guessing_baseline.lopsided_answers(
        [("gcd", "1")] * 4 + [("gcd", str(n)) for n in range(5)]
    )
    assert "gcd: 5 of 9 are '1'" in said
    assert (
        guessing_baseline.lopsided_answers([("even", str(n % 3)) for n in range(30)])
        == ""
    )
    assert guessing_baseline.lopsided_answers([("few", "1"), ("few", "1")]) == ""
    assert guessing_baseline.lopsided_answers([]) == ""
