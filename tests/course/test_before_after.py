"""One question in the words of base and of every arm."""

import pandas as pd

from phi_kit.course.before_after import before_and_after, reply_and_lesson
from phi_kit.data.records import Seed

SEEDS = [Seed("math", f"What is {n} + 1?", str(n + 1)) for n in range(4)]


def samples(**verdicts):
    """The first samples of each arm by item, and a second one that does not count."""
    return pd.DataFrame(
        {
            "seed_id": seed.id,
            "arm": arm,
            "text": f" {arm} says <b>{seed.answer}</b> ",
            "verdict": said,
        }
        for again in range(2)
        for arm, row in verdicts.items()
        for seed, said in zip(SEEDS, row if not again else row[::-1], strict=True)
    )


R, W = "right", "wrong"


def test_it_shows_the_first_question_that_training_made_right():
    told = before_and_after(
        samples(base=[R, W, W, W], own=[W, W, R, W], teachable=[R, W, R, R]),
        SEEDS,
        arm="teachable",
    )
    assert told.question == "What is 2 + 1?"
    assert told.why.startswith("The first of 2 questions that teachable gets right")
    assert list(told.said) == ["base", "own", "teachable"]
    text = repr(told)
    assert "base (✗ not right):\nbase says <b>3</b>" in text
    assert "teachable (✓ right):\nteachable says <b>3</b>" in text
    page = told._repr_html_()
    assert "&lt;b&gt;3&lt;/b&gt;" in page
    assert "<b>3</b>" not in page


def test_where_training_made_nothing_right_any_question_is_shown():
    told = before_and_after(
        samples(base=[R, W, W, W], own=[W] * 4), SEEDS, arm="teachable"
    )
    assert (told.question, told.why) == ("What is 0 + 1?", "One question")


def test_a_long_answer_is_cut_and_a_missing_item_passed_over():
    table = samples(base=[W] * 4, own=[R] * 4)
    table["text"] = "ha " * 1000
    table = table[table.seed_id != SEEDS[0].id]
    told = before_and_after(table, SEEDS, arm="own")
    assert told.question == "What is 1 + 1?"
    assert repr(told).count(" …") == 2
    assert len(repr(told)) < 1200


def asked(*verdicts):
    return pd.DataFrame(
        {
            "seed_id": [seed.id for seed in SEEDS],
            "text": [f"I say {n}" for n in range(4)],
            "verdict": verdicts,
        }
    )


def taught(*places, kept=True):
    return pd.DataFrame(
        {
            "seed_id": [SEEDS[place].id for place in places],
            "text": [f"Answer: {SEEDS[place].answer}" for place in places],
            "source": "worked",
            "verdict": R,
            "kept": kept,
        }
    )


def test_a_students_reply_stands_beside_what_it_will_be_taught():
    refused = taught(1, kept=False)
    told = reply_and_lesson(
        asked(R, W, W, W), pd.concat([refused, taught(0, 2, 3)]), SEEDS
    )
    assert told.question == "What is 2 + 1?"
    assert told.why.startswith("The first of 2 seeds that will be taught")
    assert list(told.said.values()) == [("I say 2", W), ("Answer: 3", R)]
    assert "from `worked` (✓ right)" in repr(told)


def test_who_misses_nothing_is_shown_any_seed():
    told = reply_and_lesson(asked(R, R, R, R), taught(3, 0), SEEDS)
    assert (told.question, told.why) == ("What is 0 + 1?", "One seed")
