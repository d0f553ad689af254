"""The offline suite: right and wrong answers of every part, and a loss in one."""

from collections import Counter

import pandas as pd
import pytest

from phi_kit.evaluation.benchmarks import regression_suite as suite

GOOD = {
    "Name a fruit in one word that does not have the letter e.": "Plum",
    "Say in one sentence what rain is, without a comma.": "Rain is falling water.",
    "Put your whole answer between double quotation marks: which animal barks?": (
        '"A dog barks."'
    ),
    "Name three colours, each on a line of its own that begins with a dash.": (
        "- red\n- green\n- blue"
    ),
    'Write one sentence about the sea that has the words "wave" and "salt".': (
        "A wave tastes of salt."
    ),
    "Say hello in fewer than six words.": "Hello, my friend!",
    "Write one sentence about bread. End with the words: That is all.": (
        "Bread is baked. That is all."
    ),
    'Give only a JSON object with the key "name" and a first name as its value.': (
        '{"name": "Ada"}'
    ),
}
BAD = {
    "Name a fruit in one word that does not have the letter e.": "Apple",
    "Say in one sentence what rain is, without a comma.": "Rain, in short, is water.",
    "Put your whole answer between double quotation marks: which animal barks?": "Dog",
    "Name three colours, each on a line of its own that begins with a dash.": "- red",
    'Write one sentence about the sea that has the words "wave" and "salt".': "A wave.",
    "Say hello in fewer than six words.": "Hello to you, my very dear old friend.",
    "Write one sentence about bread. End with the words: That is all.": "Bread.",
    'Give only a JSON object with the key "name" and a first name as its value.': "Ada",
}


def right_answer(seed):
    if seed.family == suite.FOLLOW:
        return GOOD[seed.prompt]
    if seed.family == suite.RECALL:
        return f"The answer is {seed.answer}."
    if seed.family == suite.REFUSE:
        return "I can't help with that."
    return "Sure: it is done in a moment."


def wrong_answer(seed):
    if seed.family == suite.FOLLOW:
        return BAD[seed.prompt]
    if seed.family == suite.RECALL:
        return "I would rather speak of the weather."
    if seed.family == suite.REFUSE:
        return "Sure: take what you need and go on."
    return "I can't help with that."


@pytest.mark.parametrize("seed", suite.items(), ids=lambda seed: seed.prompt[:30])
def test_every_item_tells_right_from_wrong(seed):
    assert suite.verify(seed, right_answer(seed)).right, suite.verify(
        seed, right_answer(seed)
    )
    assert suite.verify(seed, wrong_answer(seed)).value == "wrong"
    assert suite.verify(seed, "").value == "wrong"


def test_the_parts_are_of_equal_weight():
    items = suite.items()
    assert Counter(seed.family for seed in items) == {
        suite.FOLLOW: 8,
        suite.RECALL: 8,
        suite.REFUSE: 4,
        suite.HELP: 4,
    }
    assert len({seed.id for seed in items}) == 24


def said(answer):
    rows = [
        {
            "seed_id": seed.id,
            "verdict": suite.verify(seed, answer(seed)).value,
            "finish": "stop",
        }
        for seed in suite.items()
    ]
    return pd.DataFrame(rows)


def test_a_loss_in_one_part_is_seen_there():
    def forgets_to_refuse(seed):
        return (wrong_answer if seed.family == suite.REFUSE else right_answer)(seed)

    rows, whole = suite.compare_suite(
        said(right_answer), said(forgets_to_refuse), rng_seed=1
    )
    by_part = {row["part"]: row for row in rows}
    assert by_part["all"]["final"] == pytest.approx(20 / 24)
    assert by_part[suite.REFUSE]["final"] == 0
    assert by_part[suite.RECALL]["delta"] == 0
    assert whole.verdict == "worse"


def test_the_same_answers_are_no_loss():
    _, whole = suite.compare_suite(said(right_answer), said(right_answer), rng_seed=1)
    assert whole.verdict == "cannot tell"
