"""Worked examples in a prompt: which ones, and never the question's own."""

import pandas as pd
import pytest

from phi_kit.data.records import Seed
from phi_kit.evaluation.few_shot import choose_examples, shown_to


def pool(**families):
    rows = [
        {"id": f"{name}{n}", "family": name, "tier": "easy", "prompt": f"{name} {n}?"}
        for name, count in families.items()
        for n in range(count)
    ]
    return pd.DataFrame(rows)


def answers(rows, *, without=()):
    ids = [name for name in rows.id if name not in without]
    return pd.DataFrame(
        {"seed_id": ids, "text": [f"how {i}" for i in ids], "rank": 1, "kept": True}
    )


def test_the_items_own_family_comes_first_and_others_fill_up():
    rows = pool(sums=6, legs=2)
    found = choose_examples(rows, answers(rows), k=3, rng_seed=1)
    assert all(question.startswith("sums") for question, _ in found["sums"])
    kinds = [question.split()[0] for question, _ in found["legs"]]
    assert kinds == ["legs", "legs", "sums"]
    assert len(found[""]) == 3
    assert all(text == f"how {q[:4]}{q[5]}" for q, text in found["sums"])


def test_only_rows_that_may_be_trained_on_are_shown():
    rows = pool(sums=4)
    rows.loc[0, "tier"] = "suspect"
    found = choose_examples(rows, answers(rows, without=["sums1"]), k=9, rng_seed=1)
    assert {question for question, _ in found["sums"]} == {"sums 2?", "sums 3?"}


def test_the_draw_is_repeatable_and_hangs_on_the_seed():
    rows = pool(sums=30)
    one, again, other = (
        choose_examples(rows, answers(rows), k=5, rng_seed=n) for n in (1, 1, 2)
    )
    assert one == again != other


@pytest.mark.parametrize(
    ("family", "prompt", "shown"),
    [
        ("sums", "another?", [("1 + 1?", "2"), ("2 + 2?", "4")]),
        ("sums", "1 + 1?", [("2 + 2?", "4")]),
        ("unknown", "x?", [("any?", "thing")]),
    ],
)
def test_a_question_is_not_its_own_example(family, prompt, shown):
    given = {"sums": (("1 + 1?", "2"), ("2 + 2?", "4")), "": (("any?", "thing"),)}
    seed = Seed("math", prompt, "9", family=family)
    assert list(shown_to(seed, given)) == shown


def test_without_examples_none_are_shown():
    assert shown_to(Seed("math", "a?", "1"), None) == ()
