"""Worked examples in a prompt: which ones, and never the question's own."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from phi_kit import domains
from phi_kit.data.records import Seed
from phi_kit.evaluation.few_shot import (
    choose_examples,
    fitted,
    mean_shown,
    shown_to,
)


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


def asked_by(tiny, room):
    """The tiny model with so short a context, and its domain."""
    config = SimpleNamespace(max_position_embeddings=room)
    model = SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: config))
    return replace(tiny, model=model), domains.get("math").in_style("think")


def prompt_tokens(student, domain, seed, examples):
    asked = domain.asked(seed).rendered(student.render, shown_to(seed, examples))
    return len(student.tokenizer(asked, add_special_tokens=False).input_ids)


def test_long_examples_are_left_out_until_the_answer_has_room(tiny):
    """Five thoughts of thousands of tokens do not fit into a context of 8192."""
    thought = "<think>\n{}\n</think>\n\nAnswer: 5"
    told = [(f"{n} + 0?", thought.format("so it goes. " * n)) for n in (40, 400, 90, 5)]
    given = {"sums": tuple(told), "": tuple(told[:1])}
    seeds = [Seed("math", f"{n} + 1?", str(n + 1), family="sums") for n in range(9)]
    seeds.append(Seed("math", "another?", "1", family="else"))
    student, domain = asked_by(tiny, 1200)
    found = fitted(given, student, domain, seeds, max_tokens=256)
    assert found["sums"] == (told[0], told[2], told[3])  # in their order
    assert found[""] == given[""]
    assert mean_shown(seeds, found) == (9 * 3 + 1) / 10
    longest = max(prompt_tokens(student, domain, seed, found) for seed in seeds)
    assert longest + 256 <= 1200
    # All fit, none fits, and a model that does not say what it holds.
    wide, _ = asked_by(tiny, 100_000)
    assert fitted(given, wide, domain, seeds, max_tokens=256) == given
    none = fitted(given, student, domain, seeds, max_tokens=1199)
    assert mean_shown(seeds, none) == 0
    silent, _ = asked_by(tiny, None)
    assert fitted(given, silent, domain, seeds, max_tokens=1199) == given
    assert fitted(given, SimpleNamespace(), domain, seeds, max_tokens=1199) == given


def test_without_examples_none_are_shown():
    assert shown_to(Seed("math", "a?", "1"), None) == ()
